import type { RunEvent, RunWithPayloads } from '../runs/model.ts';
import { renderRun, WITH_PAYLOADS, type RenderedRun } from '../runs/render-run.ts';
import { formatTime } from './table.ts';

/** An event as the API shows it. */
export interface EventDocument {
  run_id: string;
  seq: number;
  type: RunEvent['type'];
  at: string;
  data: unknown;
}

const ENDS: ReadonlySet<string> = new Set(['run.succeeded', 'run.failed', 'run.cancelled', 'run.timed_out']);

/** The ends of runs carry the run, without what an operator found out later. */
export function eventDocument(run: RunWithPayloads, { seq, type, at, data }: RunEvent): EventDocument {
  return { run_id: run.id, seq, type, at: formatTime(at), data: ENDS.has(type) ? { run: endedRun(run) } : data };
}

function endedRun(run: RunWithPayloads): RenderedRun {
  return renderRun({ ...run, resolution: null }, { include: WITH_PAYLOADS, showKey: true });
}
