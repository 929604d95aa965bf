import { seededRandom, type SeededRandom } from '../../simulation/seeded-random.ts';
import { workflowIdOf } from '../../workflow-ids.ts';
import { pickShape, shapesOf, VENDOR_KINDS, type Shape, type VendorKind } from './shapes.ts';

/** What one client wants. */
export interface PlannedRun {
  /** Stands in the inputs and in the workflow id, so that starts can be told apart even where no body was read. */
  marker: string;
  kind: VendorKind;
  shape: Shape;
  workflow: string;
  /** What the vendor takes for this name. */
  workflowId: string;
  /** `Prefer`; null: held until the run ends. */
  prefer: string | null;
  /** With a key the client sends again when the connection breaks; without it nobody may. */
  idempotencyKey: string | null;
  /** Milliseconds after its process was started. */
  atMs: number;
}

/** What one process lives through. */
export interface PlannedLife {
  runs: PlannedRun[];
  /** When it is killed; null for the last, which lives on. */
  kill: { after: 'start' | 'ready'; ms: number } | null;
}

export interface PlanOptions {
  seed: number;
  kills: number;
  runs: number;
  /** Whether there is time for the patience of look-ups: 30 s. Without it, nobody is held for long at B3OS either. */
  patient: boolean;
}

/** About the time from a process's start until it is ready. */
const START_MS = 350;
const LIFE_MS_MAX = 2_000;
/** So many kills in a hundred come while the process starts, or in its first moments, when it takes over. */
const KILLS_WHILE_STARTING = 15;
const KILLS_AT_ONCE = 20;
const AT_ONCE_MS = 100;
/** Some clients come while nobody listens. */
const DOWN_MS = 200;

/** The same seed gives the same runs and kills; only the machine's own timing differs. */
export function planKills({ seed, kills, runs, patient }: PlanOptions): PlannedLife[] {
  const random = seededRandom(seed);
  const lives: PlannedLife[] = Array.from({ length: kills + 1 }, (_, i) => ({
    runs: [],
    kill: i === kills ? null : planKill(random),
  }));
  for (let number = 0; number < runs; number++) {
    const life = random.pick(lives);
    life.runs.push(planRun({ seed, number, patient, lifeMs: lifeMsOf(life) }, random));
  }
  return lives;
}

function planKill(random: SeededRandom): NonNullable<PlannedLife['kill']> {
  const percent = random.below(100);
  if (percent < KILLS_WHILE_STARTING) return { after: 'start', ms: random.below(START_MS) };
  const atOnce = percent < KILLS_WHILE_STARTING + KILLS_AT_ONCE;
  return { after: 'ready', ms: random.below(atOnce ? AT_ONCE_MS : LIFE_MS_MAX) };
}

function lifeMsOf({ kill }: PlannedLife): number {
  if (kill === null) return LIFE_MS_MAX;
  return (kill.after === 'start' ? 0 : START_MS) + kill.ms + DOWN_MS;
}

const SHORT_HOLD = 'wait=5';
const PREFERENCES: readonly (string | null)[] = [null, null, 'respond-async', 'wait=1'];

function planRun(
  { seed, number, patient, lifeMs }: { seed: number; number: number; patient: boolean; lifeMs: number },
  random: SeededRandom,
): PlannedRun {
  const marker = `s${seed}-${number}`;
  const kind = random.pick(VENDOR_KINDS);
  const shape = pickShape(shapesOf(kind, { patient }), random);
  const workflow = [...(shape.part === '' ? [] : [shape.part]), marker].join('.');
  return {
    marker,
    kind,
    shape,
    workflow,
    workflowId: workflowIdOf(kind, workflow),
    prefer: random.pick(PREFERENCES) ?? (patient || kind !== 'b3os' ? null : SHORT_HOLD),
    idempotencyKey: random.chance(0.5) ? `key-${marker}` : null,
    atMs: random.below(lifeMs),
  };
}
