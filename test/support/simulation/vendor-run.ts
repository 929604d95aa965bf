import type { SeededRandom } from './seeded-random.ts';

export type VendorEnd = 'succeeded' | 'failed' | 'cancelled' | 'partial';
export type VendorState = 'running' | 'waiting' | VendorEnd;

/** From `at` on, the run is in this state. */
interface Turn {
  at: number;
  is: VendorState;
  /** Of a waiting. */
  for?: 'input' | 'resume';
}

/** Work, and then a waiting, which ends by itself after `waitMs`, or only when somebody resumes it. */
interface Leg {
  workMs: number;
  waitMs: number | null;
  for: 'input' | 'resume';
}

/** What a vendor knows of a run, found by the marker that the caller put into its inputs. */
export interface VendorRun {
  readonly id: string;
  readonly marker: string;
  /** All that has happened, oldest first. */
  readonly turns: Turn[];
  /** What happens next unless somebody is faster; null: nothing does. */
  next: Turn | null;
  /** What is left to do when it goes on. */
  legs: Leg[];
  final: { afterMs: number; is: VendorEnd };
  /** What is left of the work that a pause broke off. */
  held: { ms: number; turn: Turn } | null;
  /** How long reads tell what was before the last change. */
  readonly lagMs: number;
  /** How often it was asked to stop. */
  cancelsAsked: number;
}

/** A run that has just begun; `resumable`: of a vendor whose runs wait until they are resumed. */
export function newVendorRun(
  { id, marker, at, resumable }: { id: string; marker: string; at: number; resumable: boolean },
  random: SeededRandom,
): VendorRun {
  const endsMs = random.below(random.chance(0.2) ? 120_000 : 20_000);
  const final = random.weigh({ succeeded: 6, failed: 2, cancelled: 1, partial: 1 });
  const legs = resumable ? resumableLegs(random) : random.chance(0.3) ? [patientLeg(random)] : [];
  const waitMs = resumable ? 0 : (legs[0]?.waitMs ?? 0);
  const run: VendorRun = {
    id,
    marker,
    turns: [{ at, is: 'running' }],
    next: null,
    legs,
    final: { afterMs: Math.max(0, endsMs - waitMs), is: final },
    held: null,
    lagMs: resumable && random.chance(0.15) ? random.below(4_000) : 0,
    cancelsAsked: 0,
  };
  run.next = following(run, run.turns[0]!);
  return run;
}

function resumableLegs(random: SeededRandom): Leg[] {
  return Array.from({ length: random.below(4) }, () => ({
    workMs: random.below(random.chance(0.3) ? 12_000 : 2_000),
    waitMs: random.chance(0.2) ? random.below(20_000) : null,
    for: random.pick(['input', 'resume'] as const),
  }));
}

function patientLeg(random: SeededRandom): Leg {
  return { workMs: 0, waitMs: random.below(20_000), for: 'resume' };
}

function following(run: VendorRun, turn: Turn): Turn | null {
  if (turn.is !== 'running') return null;
  if (run.held) {
    const { ms, turn: broken } = run.held;
    run.held = null;
    return { ...broken, at: turn.at + ms };
  }
  const leg = run.legs[0];
  return leg
    ? { at: turn.at + leg.workMs, is: 'waiting', for: leg.for }
    : { at: turn.at + run.final.afterMs, is: run.final.is };
}

function advance(run: VendorRun, now: number): void {
  while (run.next && run.next.at <= now) {
    const turn = run.next;
    run.turns.push(turn);
    const leg = turn.is === 'waiting' ? run.legs.shift() : undefined;
    run.next = leg && leg.waitMs !== null ? { at: turn.at + leg.waitMs, is: 'running' } : following(run, turn);
  }
}

function push(run: VendorRun, turn: Turn): void {
  run.turns.push(turn);
  run.next = following(run, turn);
}

export function stateOf(run: VendorRun, now: number): VendorState {
  return turnOf(run, now).is;
}

/** What is the case at `now`. */
export function turnOf(run: VendorRun, now: number): Turn {
  advance(run, now);
  return run.turns.at(-1)!;
}

/** What a read tells at `now`: where reads lag behind, what was the case a while ago. */
export function seenTurnOf(run: VendorRun, now: number): Turn {
  advance(run, now);
  return run.turns.findLast((turn) => turn.at <= now - run.lagMs) ?? run.turns[0]!;
}

/** How many waitings of the run have begun by `now`. */
export function waitingsOf(run: VendorRun, now: number): number {
  advance(run, now);
  return run.turns.filter((turn) => turn.is === 'waiting').length;
}

/** Nothing will happen to the run any more unless somebody does it. */
export function isStill(run: VendorRun, now: number): boolean {
  advance(run, now);
  return run.next === null;
}

export function hasVendorEnded(run: VendorRun, now: number): boolean {
  return !['running', 'waiting'].includes(stateOf(run, now));
}

/** False: it did not wait. */
export function takeResume(run: VendorRun, now: number): boolean {
  if (stateOf(run, now) !== 'waiting') return false;
  push(run, { at: now, is: 'running' });
  return true;
}

/** False: it was not running. */
export function takePause(run: VendorRun, now: number): boolean {
  if (stateOf(run, now) !== 'running') return false;
  const broken = run.next!;
  run.held = { ms: broken.at - now, turn: broken };
  push(run, { at: now, is: 'waiting', for: 'resume' });
  return true;
}

/** False: it had ended. */
export function takeCancel(run: VendorRun, now: number): boolean {
  if (hasVendorEnded(run, now)) return false;
  push(run, { at: now, is: 'cancelled' });
  return true;
}
