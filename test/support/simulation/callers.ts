import { GatewayError } from '../../../src/core/errors.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { hasEnded, WEBHOOK_EVENTS, type Run, type Webhook } from '../../../src/runs/model.ts';
import type { RunRequest, RunService, StartedRun } from '../../../src/runs/run-service.ts';
import { workflowIdOf } from '../workflow-ids.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { attendRun } from './attending.ts';
import { CALLER, FREE_CALLERS, LIMITED_CALLERS } from './caller.ts';
import type { Journal } from './journal.ts';
import { NARROW, REGISTERED, type AskedTarget, type Burst, type ResiliencePlan } from './resilience-plan.ts';
import type { Readers, Serving } from './readers.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/** A request of the schedule, and what its callers were told. */
export interface Asked {
  marker: string;
  target: AskedTarget;
  caller: Caller;
  /** One of many that come at this time, and of whose runs nobody makes anything. Null: an ordinary one. */
  burstAt: number | null;
  idempotent: boolean;
  /** Ids of the runs that were acknowledged to its callers; more than one would be a fault. */
  acknowledged: Set<RunId>;
  refusals: string[];
}

/** A resume that a caller wanted, with all its copies, and what they were told. */
export interface AskedResume {
  /** What the vendor knows it by; the idempotency key, where it has one. */
  token: string;
  runId: RunId;
  provider: string;
  idempotent: boolean;
  /** How often somebody was told that it was done as a request of its own, and as a copy. */
  begun: number;
  replayed: number;
  /** Codes with which the vendor's refusal was told. */
  refused: string[];
  /** Codes of the gateway's own refusals. */
  errors: string[];
}

/** A pause or a removal that was not done. */
export interface RefusedCommand {
  command: 'pause' | 'remove';
  runId: RunId;
  provider: string;
  code: string;
}

export interface Callers {
  readonly asked: Asked[];
  readonly resumes: AskedResume[];
  readonly refused: RefusedCommand[];
}

/** The one kind whose runs can be resumed and paused. */
export const RESUMABLE = 'interactly';
const PROVIDERS = ['ai-tutor', 'draft-and-goal', 'b3os', RESUMABLE, RESUMABLE, NARROW, REGISTERED, REGISTERED];
const WEEK_S = 604_800;

export interface CallersParts {
  seed: number;
  random: SeededRandom;
  clock: SimulatedClock;
  journal: Journal;
  /** The process that serves now. */
  serving: () => Serving;
  /** Of that process. */
  service: () => RunService;
  readers: Readers;
  plan: ResiliencePlan;
  /** After so long nobody asks for anything new. */
  untilMs: number;
}

/** Everybody who asks something of the gateway: starts, some of them copied, and what is done to their runs. */
export function planCallers(parts: CallersParts): Callers {
  const { random, plan } = parts;
  const asked: Asked[] = Array.from({ length: 1 + random.below(4) }, (_, i) => {
    const caller = random.chance(0.25) ? random.pick(LIMITED_CALLERS) : random.pick(FREE_CALLERS);
    return newAsked({ target: targetOf(random.pick(PROVIDERS), plan), caller, burstAt: null }, i, parts);
  });
  const { burst } = plan;
  for (const caller of burst?.callers ?? [])
    asked.push(newAsked({ target: burst!.target, caller, burstAt: momentOf(burst!, random) }, asked.length, parts));
  const callers: Callers = { asked, resumes: [], refused: [] };
  for (const one of asked)
    planRequest(one, parts, (run) => {
      if (one.burstAt !== null) return;
      mind(run, callers, parts);
      planReaders(run, parts);
    });
  return callers;
}

function momentOf({ at, spanMs }: Burst, random: SeededRandom): number {
  return spanMs === 0 ? at : at + random.below(spanMs);
}

function newAsked(
  what: Pick<Asked, 'target' | 'caller' | 'burstAt'>,
  index: number,
  { seed, random }: CallersParts,
): Asked {
  return {
    ...what,
    marker: `marker-${seed * 100 + index}`,
    idempotent: random.chance(0.6),
    acknowledged: new Set(),
    refusals: [],
  };
}

function targetOf(provider: string, { registry }: ResiliencePlan): AskedTarget {
  if (provider === REGISTERED) return { provider: null, workflow: REGISTERED };
  const kind = registry.provider(provider)?.kind.kind ?? provider;
  return { provider, workflow: workflowIdOf(kind, 'wf') };
}

/** Sends the request at a random moment; with an idempotency key, copies of it too, as a client that retries would. */
function planRequest(asked: Asked, parts: CallersParts, onBegun: (run: Run) => void): void {
  const { random, clock, journal } = parts;
  const { caller, target, burstAt } = asked;
  const request: RunRequest = {
    workflow: target.workflow,
    ...(target.provider === null ? {} : { provider: target.provider }),
    inputs: { text: asked.marker },
    options: {},
    metadata: {},
    tags: [],
    onDisconnect: random.chance(0.4) ? 'cancel' : 'continue',
    webhook: burstAt === null ? planWebhook(asked.marker, random) : null,
    timeoutS: 20 + random.below(60),
    waitingTimeoutS: random.chance(0.15) ? WEEK_S : 10 + random.below(60),
  };
  const ask = (retries: number) => {
    const listening = random.chance(0.45);
    const idempotencyKey = asked.idempotent ? asked.marker : null;
    const serving = parts.serving();
    const askedAt = clock.now();
    journal.starts.push({ is: 'asked', at: askedAt, lineage: caller.lineage });
    serving.service.create(caller, request, { trace: null, listening, idempotencyKey }).then(
      (started) => {
        const { run } = started;
        attendRun(started, { ...parts, serving, listening });
        if (!asked.acknowledged.has(run.id)) onBegun(run);
        asked.acknowledged.add(run.id);
        if (random.chance(0.15)) clock.after(random.below(15_000), () => cancelRun(run.id, parts));
      },
      (error: unknown) => {
        const code = codeOf(error);
        asked.refusals.push(code);
        journal.starts.push({ is: 'refused', at: clock.now(), askedAt, lineage: caller.lineage, code });
        if (retries > 0) clock.after(500, () => ask(retries - 1));
      },
    );
  };
  const at = burstAt ?? random.below(8_000);
  const copies = asked.idempotent ? 1 + random.below(4) : 1;
  for (let i = 0; i < copies; i++)
    clock.after(at + (random.chance(0.5) ? 0 : random.below(6_000)), () => ask(asked.idempotent ? 3 : 0));
}

function planReaders({ id, webhook }: Run, { random, clock, service, readers, untilMs }: CallersParts): void {
  for (let left = random.below(3); left > 0; left--)
    clock.after(random.below(random.chance(0.5) ? 500 : 12_000), () => readers.read(id, {}));
  if (webhook === null || random.chance(0.6)) return;
  clock.after(random.below(untilMs), () => {
    const asking = service();
    asking
      .deliveries(CALLER, id)
      .then(async (all) => all.length > 0 && asking.redeliver(CALLER, id, random.pick(all).id))
      .catch(() => {});
  });
}

function planWebhook(marker: string, random: SeededRandom): Webhook | null {
  if (random.chance(0.6)) return null;
  const behaviour = random.chance(0.7) ? 'good' : random.chance(0.2) ? 'dead' : `fails-${1 + random.below(4)}`;
  const events = random.chance(0.7) ? WEBHOOK_EVENTS : WEBHOOK_EVENTS.filter(() => random.chance(0.6));
  return { url: `https://target-${random.below(2)}.example/${marker}/${behaviour}`, events };
}

function cancelRun(id: RunId, { clock, journal, serving }: CallersParts): void {
  const { number, service } = serving();
  journal.attendance.push({ is: 'cancel_asked', at: clock.now(), process: number, id });
  service.cancel(CALLER, id).catch(() => {});
}

/** Looks at a run now and then, and does to it what comes to mind: mostly at the right time. */
function mind({ id, provider }: Run, callers: Callers, parts: CallersParts): void {
  const { random, clock, service, untilMs } = parts;
  if (provider !== RESUMABLE && random.chance(0.6)) return;
  let over = false;
  const refuse = (command: RefusedCommand['command']) => (error: unknown) =>
    void callers.refused.push({ command, runId: id, provider, code: codeOf(error) });

  function act(run: Run): void {
    if (hasEnded(run)) {
      over = random.chance(0.6);
      if (random.chance(0.3)) service().remove(CALLER, id).catch(refuse('remove'));
      return;
    }
    const wanted = run.status === 'waiting' ? 0.7 : 0.08;
    // Sometimes two people resume it, each of their own accord.
    const resumes = random.chance(wanted) ? (random.chance(0.2) ? 2 : 1) : 0;
    for (let i = 0; i < resumes; i++) planResume(run, callers, parts);
    if (random.chance(run.status === 'running' ? 0.15 : 0.05)) service().pause(CALLER, id).catch(refuse('pause'));
    if (random.chance(0.05)) cancelRun(id, parts);
    if (random.chance(0.03)) service().remove(CALLER, id).catch(refuse('remove'));
  }

  const look = () => {
    if (over || clock.monotonic() > untilMs) return;
    // Before anything is asked: a process that dies never answers.
    clock.after(200 + random.below(random.chance(0.5) ? 800 : 3_000), look);
    service()
      .get(CALLER, id)
      .then(act, (error: unknown) => void (over ||= codeOf(error) === 'not_found'));
  };
  clock.after(random.below(2_000), look);
}

function planResume(
  { id, provider, lineage }: Run,
  { resumes }: Callers,
  { seed, random, clock, service }: CallersParts,
): void {
  const idempotent = random.chance(0.6);
  const token = `resume-${seed}-${resumes.length + 1}`;
  const asked: AskedResume = {
    token,
    runId: id,
    provider,
    idempotent,
    begun: 0,
    replayed: 0,
    refused: [],
    errors: [],
  };
  resumes.push(asked);
  const request = { inputs: { text: token }, options: {} };
  const context = { trace: null, listening: false, idempotencyKey: idempotent ? token : null };

  const ask = (retries: number) => {
    const again = () => {
      if (idempotent && retries > 0) clock.after(500, () => ask(retries - 1));
    };
    const asking = service();
    asking
      .resume({ ...CALLER, role: 'runs', lineage }, id, request, context)
      .then((started) => told(asking, started))
      .then(
        (refusal) => {
          if (refusal !== null) again();
        },
        (error: unknown) => {
          asked.errors.push(codeOf(error));
          again();
        },
      );
  };

  /** As HTTP does: the answer to a held request is made when the run waits again or has ended. */
  async function told(asking: RunService, started: StartedRun): Promise<string | null> {
    if (started.replayed) asked.replayed += 1;
    else asked.begun += 1;
    const hold = { ms: random.below(20_000), signal: new AbortController().signal, written: null };
    await asking.settle(CALLER, id, hold).catch(() => null);
    const refusal = started.refusal()?.code ?? null;
    if (refusal !== null) asked.refused.push(refusal);
    return refusal;
  }

  const copies = idempotent ? 1 + random.below(4) : 1;
  for (let i = 0; i < copies; i++)
    clock.after(random.chance(0.6) ? 0 : random.below(8_000), () => ask(idempotent ? 2 : 0));
}

function codeOf(error: unknown): string {
  return error instanceof GatewayError ? error.code : String(error);
}
