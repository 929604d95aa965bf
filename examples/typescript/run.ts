/**
 * Begins a run, follows it to its end, answers what it asks on the way, and prints its status and text.
 *
 *     RUNGATE_URL=http://127.0.0.1:8080 RUNGATE_KEY=rgk_… npx node examples/typescript/run.ts [provider] [workflow]
 *
 * Runs on Node.js 24 as it is, with nothing installed; in this checkout `npx node` is one. It belongs on a server: the key must not reach a browser.
 */
/* oxlint-disable no-console -- a program that prints */

interface RunError {
  code: string;
  message: string;
  retryable: boolean;
  retry_after_s: number | null;
}

interface Run {
  id: string;
  status: 'queued' | 'running' | 'waiting' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled' | 'timed_out';
  output: { text: string | null } | null;
  error: RunError | null;
  waiting: { for: 'input' | 'resume' | 'approval'; hint: unknown } | null;
}

/** Rungate answered with an error in place of a run. */
class Refused extends Error {
  readonly error: RunError;

  constructor(error: RunError) {
    super(`${error.code}: ${error.message}`);
    this.error = error;
  }
}

const STARTS_MAX = 3;
const ANSWERS_MAX = 9;
const PAUSE_S = 1;
const PAUSE_S_MAX = 60;
/** Longer than any wait that is asked for below. */
const CALL_MS_MAX = 60_000;

async function call(path: string, headers: Record<string, string>, body?: object): Promise<Run> {
  const response = await fetch(requiredVariable('RUNGATE_URL') + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${requiredVariable('RUNGATE_KEY')}`,
      'content-type': 'application/json',
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(CALL_MS_MAX),
  });
  const answer = (await response.json()) as Run | { error: RunError };
  // A run has an `error`, too, which says why it failed; an answer without a run is not ok.
  if (!response.ok) throw new Refused((answer as { error: RunError }).error);
  return answer as Run;
}

/** Waits until the run has ended or waits for somebody; a wait that runs out is no error, so it waits again. */
async function settled(run: Run): Promise<Run> {
  let current = run;
  while (['queued', 'running', 'cancelling'].includes(current.status)) {
    current = await call(`/runs/${run.id}`, { prefer: 'wait=30' });
  }
  return current;
}

/** Begins the run, and again only where Rungate promises that this cannot begin a second one. */
async function start(body: object): Promise<Run> {
  // The same key each time: it is what lets a request whose answer was lost be sent again.
  const headers = { prefer: 'respond-async', 'idempotency-key': crypto.randomUUID() };
  for (let starts = 1; ; starts += 1) {
    try {
      const run = await settled(await call('/runs', headers, body));
      if (run.error?.retryable !== true || starts === STARTS_MAX) return run;
      await pause(run.error);
    } catch (thrown) {
      if (!(thrown instanceof Refused) || !thrown.error.retryable || starts === STARTS_MAX) throw thrown;
      await pause(thrown.error);
    }
  }
}

async function pause({ code, retry_after_s }: RunError): Promise<void> {
  console.log(`${code}, trying again`);
  const seconds = Math.min(retry_after_s ?? PAUSE_S, PAUSE_S_MAX);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Tells a run that waits what it wants to know; a person would be asked here. */
async function resume(run: Run): Promise<Run> {
  console.log(`waits for ${run.waiting?.for}: ${JSON.stringify(run.waiting?.hint)}`);
  const headers = { prefer: 'respond-async', 'idempotency-key': crypto.randomUUID() };
  return settled(await call(`/runs/${run.id}/resume`, headers, { inputs: { answer: 'the second one' } }));
}

function requiredVariable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

async function main([provider = 'ai-tutor', workflow = 'wf_abc123']: readonly string[]): Promise<void> {
  let run = await start({ provider, workflow, inputs: { story: 'a fox and a gateway' } });
  for (let answers = 0; run.status === 'waiting' && answers < ANSWERS_MAX; answers += 1) run = await resume(run);
  console.log(`status: ${run.status}`);
  console.log(`text: ${run.output?.text ?? ''}`);
  if (run.error !== null) throw new Refused(run.error);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
