/**
 * `npm run demo`: a gateway and simulated vendors on this machine, a key, one run at each vendor, an error
 * and a replay, each shown as the `curl` line that would do the same. Then it stays up; `--once` ends it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { isJsonObject, parseJson, type Json, type JsonObject } from '../src/core/json.ts';

const { values } = parseArgs({ options: { once: { type: 'boolean' } } });
const MAIN = join(import.meta.dirname, '..', 'bin', 'rungate.js');
const dataDir = mkdtempSync(join(tmpdir(), 'rungate-demo-'));
// A configuration of its own: the one that lies here is meant for real vendors.
const configFile = join(dataDir, 'rungate.yaml');
writeFileSync(configFile, '{}\n');
const environment = {
  ...process.env,
  RUNGATE_DATA_DIR: dataDir,
  RUNGATE_CONFIG: configFile,
  RUNGATE_PORT: process.env['RUNGATE_PORT'] ?? String(await freePort(8080)),
  RUNGATE_ADMIN_PORT: process.env['RUNGATE_ADMIN_PORT'] ?? String(await freePort(8081)),
  RUNGATE_LOG_LEVEL: 'error',
};

interface Step {
  title: string;
  /** Where it goes, when that is not `/runs`; it may name the run of the step before. */
  path?: (before: string) => string;
  body: JsonObject;
  headers?: Record<string, string>;
}

const STORY = { provider: 'ai-tutor', workflow: 'wf_abc123', inputs: { story: 'a fox and a gateway' } };
const STEPS: readonly Step[] = [
  { title: 'AI Tutor answers in one blocking call', body: STORY },
  {
    title: 'Draft & Goal answers at once and is polled; the call is held all the same',
    body: {
      provider: 'draft-and-goal',
      workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40',
      inputs: { Text_0: 'Hello world' },
    },
  },
  {
    title: 'B3OS moves money, so its dry run is an option that only it has',
    body: { provider: 'b3os', workflow: 'rebalance', inputs: { amount: 5 }, options: { simulate: true } },
  },
  {
    // The simulated vendor takes this id, `asks` in hexadecimal, for a workflow that asks a question.
    title: 'Interactly asks for something: the run is waiting, and nobody’s connection is held for it',
    body: { provider: 'interactly', workflow: '61736b730000000000000000', inputs: { topic: 'refunds' } },
  },
  {
    title: 'Somebody answers, and the same run goes on to its end',
    path: (before) => `/runs/${before}/resume`,
    body: { inputs: { answer: 'order 1001' } },
  },
  {
    title: 'A workflow that began and then failed is no HTTP error: the run says so',
    body: { provider: 'draft-and-goal', workflow: 'fails', inputs: { Text_0: 'Hello' } },
  },
  {
    title: 'A vendor’s refusal becomes one error envelope (this id makes the simulated vendor want a second of rest)',
    body: { provider: 'b3os', workflow: 'status-429-retry-1', inputs: {} },
  },
  { title: 'A request with an Idempotency-Key', body: STORY, headers: { 'Idempotency-Key': 'order-1001' } },
  {
    title: 'The same again: the same run, and the vendor was not called a second time',
    body: STORY,
    headers: { 'Idempotency-Key': 'order-1001' },
  },
];

// In a process group of its own: Ctrl-C reaches it once, through us, and not twice.
const gateway = spawn(process.execPath, [MAIN, 'serve', '--sandbox'], {
  detached: true,
  env: environment,
  stdio: ['ignore', 'pipe', 'inherit'],
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => gateway.kill(signal));
gateway.once('exit', (code) => {
  rmSync(dataDir, { recursive: true, force: true });
  process.exit(code ?? 1);
});

// However this script ends, the gateway does not outlive it.
process.once('exit', () => gateway.kill('SIGTERM'));

let runBefore = '';
const address = await addressOf(gateway);
const key = await makeKey();
console.log(
  `Rungate is up, with simulated vendors. In another terminal:\n\n  export RUNGATE_URL=${address}\n  export RUNGATE_KEY=${key}\n`,
);
for (const [i, step] of STEPS.entries()) await show(i + 1, step);
console.log('Every run is on disk:\n');
console.log(`  curl -sS "$RUNGATE_URL/runs?limit=2" -H "Authorization: Bearer $RUNGATE_KEY"\n`);
const page = await call('GET', '/runs?limit=2');
console.log(`  ${summary(page.body)}\n`);
if (values.once) gateway.kill('SIGTERM');
else
  console.log(
    'It stays up until Ctrl-C. Try another input, or a special workflow id such as fails, runs-5000 or cut-before-headers.',
  );

async function show(number: number, { title, path, body, headers = {} }: Step): Promise<void> {
  const to = path?.(runBefore) ?? '/runs';
  console.log(`${number}. ${title}\n`);
  console.log(`${curlLine(to, body, headers)}\n`);
  const answer = await call('POST', to, { body, headers });
  if (isJsonObject(answer.body) && typeof answer.body['id'] === 'string') runBefore = answer.body['id'];
  console.log(
    `  HTTP ${answer.status}${answer.replayed ? ', Idempotent-Replayed: true' : ''}${answer.retryAfter ? `, Retry-After: ${answer.retryAfter}` : ''}`,
  );
  console.log(`  ${summary(answer.body)}\n`);
}

function curlLine(path: string, body: JsonObject, headers: Record<string, string>): string {
  const extra = Object.entries(headers).map(([name, value]) => ` \\\n    -H "${name}: ${value}"`);
  return [
    `  curl -sS -X POST "$RUNGATE_URL${path}" -H "Authorization: Bearer $RUNGATE_KEY" \\`,
    `    -H "Content-Type: application/json"${extra.join('')} \\`,
    `    -d '${JSON.stringify(body)}'`,
  ].join('\n');
}

/** The fields that a first look needs. */
function summary(body: Json): string {
  if (!isJsonObject(body)) return JSON.stringify(body);
  if (isJsonObject(body['error']) && body['id'] === undefined) {
    const { code, message, source, retryable, run_id } = body['error'];
    return JSON.stringify({ error: { code, message, source, retryable, run_id } });
  }
  if (Array.isArray(body['data'])) return body['data'].map(summary).join('\n  ');
  const { id, status, provider, workflow, output, waiting, error } = body;
  return JSON.stringify({
    id,
    status,
    provider,
    workflow,
    ...(output ? { output } : {}),
    ...(waiting ? { waiting } : {}),
    ...(isJsonObject(error) ? { error: { code: error['code'], message: error['message'] } } : {}),
  });
}

async function call(
  method: string,
  path: string,
  { body, headers = {} }: { body?: JsonObject; headers?: Record<string, string> } = {},
) {
  const response = await fetch(`${address}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const parsed = parseJson(await response.text());
  return {
    status: response.status,
    replayed: response.headers.get('idempotent-replayed') === 'true',
    retryAfter: response.headers.get('retry-after'),
    body: parsed.ok ? parsed.value : null,
  };
}

function addressOf({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (stdout)
      createInterface(stdout).on(
        'line',
        (line) => line.startsWith('runs API') && resolve(/http:\S+/.exec(line)?.[0] ?? ''),
      );
  });
}

/** As an operator would: `rungate keys create` beside the running gateway. */
async function makeKey(): Promise<string> {
  const child = spawn(process.execPath, [MAIN, 'keys', 'create', '--name', 'demo', '--sandbox', '--json'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  const parsed = parseJson(text);
  if (!parsed.ok || !isJsonObject(parsed.value) || typeof parsed.value['key'] !== 'string')
    throw new Error('no key was made');
  return parsed.value['key'];
}

/** The usual port where it is free, so that the lines look as in the documents; else any. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(0));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => resolve(wanted)));
  });
}
