import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sentenceWith, startEchoingVendors, type EchoingVendors, type EchoOrder } from '../support/echoing-vendors.ts';
import { prepareTestGateway, type Client, type TestGateway } from '../support/gateway.ts';
import { linesUntil, startChild, type Child } from '../support/processes/child.ts';
import { PROGRAM } from '../support/program.ts';
import { beginStream, isEnd, joinedDeltas, seenBy } from '../support/streams.ts';

const CREDENTIALS = {
  'ai-tutor': 'sk_echoed-by-the-tutor_0123456789',
  interactly: 'sk_echoed-by-interactly_9876543210',
} as const;
const WORKFLOW = '64b0c1d2e3f405162738495a';
const SCRUBBED = sentenceWith('[secret]');

type Kind = keyof typeof CREDENTIALS;
interface Case extends EchoOrder {
  kind: Kind;
}

const HTTP_FORMATS = ['text', 'data', 'ui', 'sse', 'ndjson'] as const;
const cases: Case[] = [
  ...HTTP_FORMATS.flatMap((format) =>
    (['credential', 'token'] as const).flatMap((echo) =>
      (['succeeds', 'fails', 'breaks'] as const).map((end): Case => ({ kind: 'ai-tutor', format, echo, end })),
    ),
  ),
  ...(['succeeds', 'fails', 'waits', 'breaks'] as const).map((end): Case => ({
    kind: 'interactly',
    format: 'text',
    echo: 'credential',
    end,
  })),
];
const logged: string[] = [];
const at = { url: () => url, authorization: '' };
let vendors: EchoingVendors;
let gateway: TestGateway;
let child: Child;
let url: string;
let client: Client;

beforeAll(async () => {
  vendors = await startEchoingVendors();
  gateway = await prepareTestGateway({
    providers: () =>
      Object.fromEntries(
        Object.entries(CREDENTIALS).map(([kind, secret]) => [
          echoing(kind as Kind),
          { kind, baseUrl: vendors.origin, secret },
        ]),
      ),
  });
  at.authorization = gateway.authorization;
  // Every piece is stored by itself where the gateway would not hold it back.
  const more = { RUNGATE_LOG_LEVEL: 'debug', RUNGATE_DELTA_GROUP_MS: '1' };
  child = startChild([PROGRAM, 'serve'], { ...gateway.environment, ...more });
  for (const lines of [child.stdout, child.stderr]) lines.on('line', (line: string) => logged.push(line));
  const banner = await linesUntil(
    child,
    (line) => line.startsWith('admin API'),
    () => `the gateway did not start: ${logged.join('\n')}`,
  );
  url = /runs API +(\S+)/.exec(banner.join('\n'))?.[1] ?? '';
  client = gateway.at(url);
});
afterAll(async () => {
  child.signal('SIGKILL');
  await child.gone;
  await vendors.close();
  await gateway.stop();
});

function echoing(kind: Kind): string {
  return `${kind}-echoing`;
}

/** Begins the run with a listener, and looks at all that there is to see of it. */
async function play({ kind, ...order }: Case) {
  const stream = beginStream(at, { provider: echoing(kind), workflow: WORKFLOW, inputs: order, timeout_s: 20 });
  const isOver = () => stream.isWhole() || seenBy(stream).some((one) => isEnd(one) || one.type === 'run.waiting');
  await stream.until(isOver);
  const events = seenBy(stream);
  const text = stream.text();
  stream.leave();
  const id = events[0]?.run_id ?? '';
  const page = await client.get(`/runs/${id}/events?limit=1000`, { accept: 'application/json' });
  const { body: run } = await client.get(`/runs/${id}`);
  return { text, events, page: page.body, run };
}

describe('a vendor that says our secret, five characters at a time', () => {
  it.each(cases)('$kind, the $echo in a stream of $format that $end', async (one) => {
    const { text, events, page, run } = await play(one);
    expect(joinedDeltas(events)).toBe(SCRUBBED);
    expect(joinedDeltas(page.data)).toBe(SCRUBBED);
    if (run.output !== null) expect(run.output.text).toBe(SCRUBBED);
    if (one.end === 'succeeds') expect(run).toMatchObject({ status: 'succeeded', output: { text: SCRUBBED } });
    if (one.end === 'waits') expect(run).toMatchObject({ status: 'waiting', waiting: { hint: SCRUBBED } });
    for (const secret of secrets()) expect(`${text} ${JSON.stringify([page, run])}`).not.toContain(secret);
  });

  it('finds it neither in the files of the database nor in the log', async () => {
    expect(vendors.tokens()).toHaveLength(cases.filter(({ kind }) => kind === 'ai-tutor').length);
    child.signal('SIGTERM');
    await child.gone;
    const files = await readdir(gateway.dataDir, { recursive: true, withFileTypes: true });
    const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    const contents = await Promise.all(paths.map((path) => readFile(path)));
    expect(contents.some((bytes) => bytes.includes('[secret]'))).toBe(true);
    expect(logged.filter((line) => line.includes('"request answered"')).length).toBeGreaterThan(cases.length);
    for (const secret of secrets()) {
      expect(paths.filter((_, i) => contents[i]?.includes(secret))).toEqual([]);
      expect(logged.filter((line) => line.includes(secret))).toEqual([]);
    }
  });
});

function secrets(): string[] {
  return [...Object.values(CREDENTIALS), ...vendors.tokens()];
}
