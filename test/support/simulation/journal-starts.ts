import type { Clock } from '../../../src/core/clock.ts';
import type { RunId } from '../../../src/core/ids.ts';
import type { OutboundError, OutboundRequest } from '../../../src/core/outbound.ts';
import type { BreakerState } from '../../../src/runs/breakers.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { CountedStart } from '../../../src/runs/ports.ts';
import type { CredentialState } from '../../../src/vault/credential-state.ts';
import { operationOf } from './vendor-answers.ts';

/** How a call that belongs to a start came back: the status of its answer, or what the network had to say. */
export type StartAnswer = number | 'unsent' | 'unknown';

/** What happened around starts, in one order. Processes are numbers; 0 is nobody. */
export type StartNoted =
  /** A row as it was committed. */
  | { is: 'row'; at: number; process: number; run: Run; counted: CountedStart | null; created: boolean }
  /** The process was told that its new row was not written, or may not have been. */
  | { is: 'untold'; at: number; process: number; id: RunId }
  /** A queued run is to be begun. */
  | { is: 'claimed'; at: number; process: number; id: RunId; provider: string; lineage: string }
  | { is: 'deleted'; at: number; id: RunId }
  | Left
  | { is: 'back'; at: number; number: number; how: StartAnswer }
  | { is: 'marked'; at: number; process: number; credentialId: string; state: CredentialState }
  | { is: 'breaker'; at: number; process: number; credentialId: string; state: BreakerState }
  | { is: 'asked'; at: number; lineage: string }
  /** Somebody's request was refused before anything was written. */
  | { is: 'refused'; at: number; askedAt: number; lineage: string; code: string };

/** A call that begins a run, or fetches what its start needs, leaves a process. */
export interface Left {
  is: 'left';
  at: number;
  process: number;
  number: number;
  runId: RunId;
  provider: string;
  credentialId: string;
  step: 'start' | 'token';
}

export interface NotedStart {
  back(how: StartAnswer): void;
  /** The call brought no answer. */
  failed(error: OutboundError): void;
}

/** Notes a call that leaves for a start; null: it is another. */
export function noteStart(
  notes: StartNoted[],
  request: OutboundRequest,
  { clock, process }: { clock: Clock; process: number },
): NotedStart | null {
  const step = operationOf(request);
  const { about } = request;
  if ((step !== 'start' && step !== 'token') || !about) return null;
  const number = notes.length;
  const { provider } = about;
  const credentialId = request.credential.id;
  notes.push({
    is: 'left',
    at: clock.now(),
    process,
    number,
    runId: about.runId as RunId,
    provider,
    credentialId,
    step,
  });
  const back = (how: StartAnswer) => void notes.push({ is: 'back', at: clock.now(), number, how });
  return { back, failed: ({ sent }) => back(sent ? 'unknown' : 'unsent') };
}
