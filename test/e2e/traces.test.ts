import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { reviveJson } from '../../src/core/json.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/start-sandbox.ts';
import { createCommandLine, type CommandLine } from '../support/command-line.ts';
import { vendorOf } from '../support/gateway.ts';
import { linesUntil, startChild, type Child } from '../support/processes/child.ts';
import { PROGRAM } from '../support/program.ts';
import { startCollector, startRecordingVendor, type Collector, type RecordingVendor } from '../support/traces.ts';

const KIND = 'draft-and-goal';
const COLLECTOR_KEY = 'a-collector-key';
const CALLERS_TEXT = 'a-text-of-the-caller';
/** Five seconds for the spans, the rest for a busy machine. */
const STOP_MS_MAX = 12_000;
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLERS_SPAN = 'b7ad6b7169203331';

/** Writes the address of every module of OpenTelemetry that is loaded, bundled or not, into the file that `SEEN_MODULES` names. */
const MODULE_WATCH = `data:text/javascript,${encodeURIComponent(`
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, next) {
      if (/opentelemetry|tracing-sdk/.test(url)) appendFileSync(process.env.SEEN_MODULES, url + '\\n');
      return next(url, context);
    },
  });
`)}`;

interface Server {
  url: string;
  log(): Record<string, unknown>[];
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<string>;
}

describe('traces', () => {
  let sandbox: Sandbox;
  let vendor: RecordingVendor;
  let collector: Collector;
  let commandLine: CommandLine;
  let key: string;
  let alive: Child | null = null;
  let silentAddress = '';
  const silent = createServer();

  beforeAll(async () => {
    sandbox = await startSandbox({ clock: systemClock, random: createSystemRandom(), host: '127.0.0.1' });
    vendor = await startRecordingVendor(vendorOf(sandbox, KIND).baseUrl);
    collector = await startCollector();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    silentAddress = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    commandLine = await createCommandLine();
    const providers = {
      [KIND]: { base_url: vendor.baseUrl, allow_private_network: true, credentials: ['env:VENDOR_KEY'] },
    };
    const workflows = { quick: { provider: KIND, workflow: vendorOf(sandbox, KIND).workflowId('quick') } };
    await writeFile(join(commandLine.dataDir, 'rungate.yaml'), JSON.stringify({ providers, workflows }));
    ({ key } = await commandLine.document<{ key: string }>(['keys', 'create', '--name', 'clients']));
  });

  // A test that failed may have left its own behind.
  afterEach(async () => {
    alive?.signal('SIGKILL');
    await alive?.gone;
    alive = null;
  });

  afterAll(async () => {
    silent.closeAllConnections();
    silent.close();
    await collector[Symbol.asyncDispose]();
    await vendor[Symbol.asyncDispose]();
    await sandbox.close();
    await commandLine.remove();
  });

  async function startServer(environment: Record<string, string> = {}): Promise<Server> {
    const child = startChild(['--import', MODULE_WATCH, PROGRAM, 'serve'], {
      RUNGATE_DATA_DIR: commandLine.dataDir,
      RUNGATE_CONFIG: join(commandLine.dataDir, 'rungate.yaml'),
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
      VENDOR_KEY: vendorOf(sandbox, KIND).key,
      SEEN_MODULES: moduleList(),
      ...environment,
    });
    alive = child;
    const lines: string[] = [];
    child.stderr.on('line', (line: string) => lines.push(line));
    const [first = ''] = await linesUntil(
      child,
      (line) => line.startsWith('admin API'),
      () => lines.join('\n'),
    );
    return {
      url: first.split(/\s+/).at(-1) ?? '',
      log: () => lines.map((line) => reviveJson<Record<string, unknown>>(line)),
      async stop(signal) {
        child.signal(signal);
        return child.gone;
      },
    };
  }

  const moduleList = () => join(commandLine.dataDir, 'modules.txt');

  /** Without those of its API, a few interfaces, which the library of metrics loads too. */
  function seenModules(): string[] {
    const urls = existsSync(moduleList()) ? readFileSync(moduleList(), 'utf8').split('\n') : [];
    return urls.filter((url) => url !== '' && !url.includes('/@opentelemetry/api/'));
  }

  async function begin({ url }: Server, body: object, headers: Record<string, string> = {}): Promise<string> {
    const answer = await fetch(`${url}/runs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return reviveJson<{ id: string }>(text).id;
  }

  const traced = () => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
    OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${COLLECTOR_KEY}`,
    OTEL_SERVICE_NAME: 'gateway-under-test',
    RUNGATE_LOG_LEVEL: 'debug',
  });

  it('are not there without an endpoint: the caller’s context goes on, and OpenTelemetry’s SDK is not loaded', async () => {
    const server = await startServer();
    const before = vendor.calls.length;
    await begin(server, { workflow: 'quick' }, { traceparent: `00-${TRACE_ID}-${CALLERS_SPAN}-01`, tracestate: 'a=1' });
    const [start] = vendor.calls.slice(before);
    expect(start?.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-(?!${CALLERS_SPAN})[0-9a-f]{16}-01$`));
    expect(start?.tracestate).toBe('a=1');
    expect(await server.stop('SIGTERM')).toBe('exit 0');
    expect(seenModules()).toEqual([]);
    expect(server.log()).toContainEqual(
      expect.objectContaining({ msg: 'request answered', trace_id: TRACE_ID, route: '/runs', status: 200, code: null }),
    );
    expect(server.log()).toContainEqual(
      expect.objectContaining({ msg: 'run ended', trace_id: TRACE_ID, workflow: 'quick', status: 'succeeded' }),
    );
  });

  it('have the request, the run, its attempt and each call below one another, continuing the caller’s', async () => {
    const server = await startServer(traced());
    const before = vendor.calls.length;
    const traceparent = `00-${TRACE_ID}-${CALLERS_SPAN}-01`;
    const id = await begin(
      server,
      { workflow: 'quick', inputs: { text: CALLERS_TEXT }, metadata: { note: CALLERS_TEXT } },
      { traceparent, tracestate: 'a=1' },
    );
    // The end of the process sends what has gathered.
    expect(await server.stop('SIGTERM')).toBe('exit 0');
    const spans = collector.spans.filter(({ attributes }) => attributes['rungate.run_id'] === id);
    const named = (name: string) => spans.filter((span) => span.name === name);
    const [request] = named('POST /runs');
    const [run] = named('run');
    const [attempt] = named('attempt');
    const [start] = named(`start ${KIND}`);
    const polls = named(`poll ${KIND}`);
    expect(spans.map((span) => span.traceId)).toEqual(spans.map(() => TRACE_ID));
    expect([request?.parentSpanId, run?.parentSpanId, attempt?.parentSpanId, start?.parentSpanId]).toEqual([
      CALLERS_SPAN,
      request?.spanId,
      run?.spanId,
      attempt?.spanId,
    ]);
    expect(polls.length).toBeGreaterThan(0);
    expect(new Set(polls.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([attempt?.spanId]));
    expect(spans).toHaveLength(4 + polls.length);
    expect([request, run, attempt, start].map((span) => span?.kind)).toEqual([2, 1, 1, 3]);
    expect(run?.attributes).toMatchObject({ 'rungate.workflow': 'quick', 'rungate.status': 'succeeded' });
    expect(request?.attributes).toMatchObject({ 'http.route': '/runs', 'http.response.status_code': 200 });
    expect(start?.attributes).toMatchObject({ 'rungate.provider': KIND, 'rungate.operation': 'start' });
    expect(run?.endMs).toBeGreaterThan(run?.startMs ?? 0);

    const told = vendor.calls.slice(before);
    expect(told.map((call) => call.traceparent)).toEqual(
      [start, ...polls].map((call) => `00-${TRACE_ID}-${call?.spanId}-01`),
    );
    expect(told.map((call) => call.tracestate)).toEqual(told.map(() => 'a=1'));
    expect(collector.resources[0]).toMatchObject({ 'service.name': 'gateway-under-test' });
    expect(seenModules().some((url) => /\/sdk-trace\/|\/tracing-sdk-/.test(url))).toBe(true);
  });

  it('hang below the same run when another process ends it', async () => {
    const first = await startServer(traced());
    const before = vendor.calls.length;
    const workflow = vendorOf(sandbox, KIND).workflowId('runs-4000');
    const id = await begin(first, { provider: KIND, workflow }, { prefer: 'respond-async' });
    const mine = (name: string) =>
      collector.span((span) => span.name === name && span.attributes['rungate.run_id'] === id);
    const request = await mine('POST /runs');
    const start = await mine(`start ${KIND}`);
    await first.stop('SIGKILL');

    const second = await startServer(traced());
    const run = await mine('run');
    const attempt = await mine('attempt');
    expect(await second.stop('SIGTERM')).toBe('exit 0');
    expect([run.parentSpanId, attempt.parentSpanId, start.parentSpanId]).toEqual([
      request.spanId,
      run.spanId,
      attempt.spanId,
    ]);
    expect(new Set([run, attempt, start].map(({ traceId }) => traceId))).toEqual(new Set([request.traceId]));
    expect(run.attributes).toMatchObject({ 'rungate.workflow': 'other', 'rungate.status': 'succeeded' });
    const lastPoll = vendor.calls.slice(before).at(-1)?.traceparent?.split('-')[2];
    expect(collector.spans.find(({ spanId }) => spanId === lastPoll)?.parentSpanId).toBe(attempt.spanId);
  });

  it('hold no secret, no text of a caller and no body', () => {
    const received = collector.received();
    expect(received).toContain(`"x-collector-key":"${COLLECTOR_KEY}"`);
    expect(received).toContain('rungate.run_id');
    for (const secret of [key, key.split('_')[2] ?? key, vendorOf(sandbox, KIND).key, CALLERS_TEXT]) {
      expect(received).not.toContain(secret);
    }
  });

  it.each([
    ['is away', goneAddress],
    ['never answers', () => silentAddress],
  ])('do no harm where the collector %s: one line tells of it', async (_name, address) => {
    const server = await startServer({ ...traced(), OTEL_EXPORTER_OTLP_ENDPOINT: await address() });
    for (let i = 0; i < 3; i++) await begin(server, { workflow: 'quick' }, { prefer: 'respond-async' });
    const begunAt = performance.now();
    expect(await server.stop('SIGTERM')).toBe('exit 0');
    expect(performance.now() - begunAt).toBeLessThan(STOP_MS_MAX);
    expect(server.log().filter(({ msg }) => msg === 'spans could not be sent to the collector')).toHaveLength(1);
    expect(JSON.stringify(server.log())).not.toContain(COLLECTOR_KEY);
  });
});

/** Where nobody listens any more. */
async function goneAddress(): Promise<string> {
  const gone = await startCollector();
  await gone[Symbol.asyncDispose]();
  return gone.origin;
}
