import type { Run, RunWithPayloads } from '../runs/model.ts';
import { renderRun, WITH_PAYLOADS } from '../runs/render-run.ts';

/** A run as the API shows it to admins; payloads as far as they were read. */
export function runDocument(run: Run | RunWithPayloads): object {
  return renderRun(run, { include: WITH_PAYLOADS, showKey: true });
}
