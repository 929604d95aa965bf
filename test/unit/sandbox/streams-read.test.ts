import { describe, expect, it } from 'vitest';
import { OutboundError, type StreamAnswer } from '../../../src/core/outbound.ts';
import { Secret } from '../../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { AnyProviderKind, StreamOperation, StreamSignal } from '../../../src/providers/define-provider.ts';
import type { Outcome } from '../../../src/providers/outcome.ts';
import type { SandboxKind } from '../../../src/sandbox/vendors.ts';
import { sealed, testUpstream } from '../../upstream/support.ts';
import { start, useSandbox } from './support.ts';

const sandbox = useSandbox();

type Head = Parameters<StreamOperation<unknown>['format']>[0];

interface Read {
  text: string;
  names: string[];
  runId: string | null;
  /** How the run ended by the stream's word; otherwise how the stream did. */
  end: Outcome | 'silent' | 'unreadable' | OutboundError['failure'] | number;
}

const LIMITS = { connection: 'start', headersTimeoutMs: 5_000, bodyTimeoutMs: 300 } as const;

/** Opens a stream as the engine does: the token where the kind wants one, then the stream, through the real decoders. */
async function open(
  kind: AnyProviderKind,
  operation: StreamOperation<unknown>,
  workflow: string,
): Promise<StreamAnswer> {
  const { baseUrl, key, workflowId } = sandbox.current.vendors[kind.kind as SandboxKind];
  const upstream = testUpstream();
  const { signal } = new AbortController();
  const context = { workflow: workflowId(workflow), clientRunId: 'r', runId: 'run_chosen', inputs: { a: 1 } };
  const given = { ...context, options: {}, settings: {} };
  const to = {
    ...LIMITS,
    baseUrl,
    credential: sealed(baseUrl, key),
    auth: kind.auth,
    allowPrivateNetwork: true,
    trace: null,
  };
  const { token, via } = operation;
  const request = { ...to, ...operation.request(given), via, format: (head: Head) => operation.format(head) };
  if (token === undefined) return upstream.openStream(request, signal);
  const { status, headers, body } = await upstream.send({ ...to, ...token.request(given) }, signal);
  const value = new Secret(token.read({ status, headers, body: body.kind === 'json' ? body.value : null }));
  return upstream.openStream({ ...request, auth: { type: 'none' }, secretQuery: { name: token.query, value } }, signal);
}

/** Reads a stream with the kind's own reader. */
async function read(kindName: SandboxKind, name: 'startStream' | 'follow', workflow: string): Promise<Read> {
  const kind = PROVIDER_KINDS.find((one) => one.kind === kindName)!;
  const operation = kind[name] as StreamOperation<unknown>;
  const opened = await open(kind, operation, workflow);
  const found: Read = { text: '', names: [], runId: null, end: 'silent' };
  if (opened.is === 'answer') return { ...found, end: opened.answer.status };
  const reader = operation.open(opened.stream);
  try {
    for await (const frame of opened.stream.frames) {
      for (const signal of signalsOf(reader, frame)) {
        if (signal === 'unreadable') return { ...found, end: 'unreadable' };
        if (signal.is === 'outcome') return { ...found, end: signal.outcome };
        if (signal.is === 'delta') found.text += signal.text;
        if (signal.is === 'progress') found.names.push(signal.name);
        if (signal.is === 'named') found.runId = signal.runId;
      }
    }
  } catch (error) {
    if (error instanceof OutboundError) return { ...found, end: error.failure };
    throw error;
  }
  return { ...found, end: reader.end() ?? 'silent' };
}

function signalsOf(
  reader: ReturnType<StreamOperation<unknown>['open']>,
  frame: Parameters<typeof reader.read>[0],
): readonly (StreamSignal | 'unreadable')[] {
  try {
    return reader.read(frame);
  } catch {
    return ['unreadable'];
  }
}

const pieces = (count: number) => Array.from({ length: count }, (_, i) => `pièce ${i + 1} ✓ 🦊 `).join('');
const FORMS = ['plain', 'as-data-stream', 'as-ui-messages', 'as-sse', 'as-ndjson'];

describe('a stream of AI Tutor', () => {
  it.each(FORMS)('is read in the format %s', async (form) => {
    const { text, end } = await read('ai-tutor', 'startStream', `${form}.deltas-50.runs-0.unknown-events`);
    expect(text).toBe(pieces(50));
    expect(end).toMatchObject({ is: 'succeeded', output: { text, data: { result: text }, citations: [] } });
  });

  it.each([
    ['breaks-2', 'plain', 'reset'],
    ['stalls-2', 'as-data-stream', 'body_timeout'],
    ['unended-2', 'as-data-stream', 'silent'],
    ['unended-2', 'as-ui-messages', 'silent'],
    ['rubbish-frames', 'as-ndjson', 'unreadable'],
  ])('%s in the format %s ends as %s', async (fault, form, end) => {
    expect((await read('ai-tutor', 'startStream', `${fault}.${form}.deltas-5.runs-0`)).end).toBe(end);
  });

  it.each(FORMS.slice(1))('says an error in the format %s', async (form) => {
    const { text, end } = await read('ai-tutor', 'startStream', `errs-2.${form}.deltas-5.runs-0`);
    expect(text).toBe(pieces(2));
    expect(end).toMatchObject({ is: 'failed', message: 'Something went wrong during execution.' });
  });

  it('is none where the start is refused after the token', async () => {
    expect((await read('ai-tutor', 'startStream', 'status-429')).end).toBe(429);
    expect((await read('ai-tutor', 'startStream', 'answer-success-false')).end).toBe(200);
  });
});

describe('a stream of Interactly', () => {
  it.each([
    ['deltas-50', { is: 'succeeded', status: 'completed', output: { text: pieces(50) } }],
    ['asks', { is: 'waiting', waiting: { for: 'input', hint: 'Question 1: what else should be known?' } }],
    ['fails', { is: 'failed', message: 'The model did not answer.' }],
    ['errs-1', { is: 'failed', message: 'The model did not answer.' }],
    ['cancelled-by-vendor', { is: 'cancelled' }],
    ['loops', { is: 'failed', message: 'The vendor stopped the run because it may loop.' }],
  ])('%s', async (workflow, outcome) => {
    const { runId, end } = await read('interactly', 'startStream', `${workflow}.runs-10`);
    expect(end).toMatchObject({ ...outcome, runId });
    expect(runId).toMatch(/^[0-9a-f]{24}$/);
  });

  it.each([
    ['breaks-1', 'reset'],
    ['closes-4006', 'reset'],
    ['unended-1', 'silent'],
    ['stalls-1', 'body_timeout'],
    ['rubbish-frames', 'unreadable'],
  ])('%s ends as %s', async (workflow, end) => {
    expect((await read('interactly', 'startStream', `${workflow}.runs-10`)).end).toBe(end);
  });
});

describe('a stream of B3OS', () => {
  it.each(['runs-20', 'runs-20.unknown-events.rubbish-frames', 'runs-0.fails'])(
    '%s tells steps and no end',
    async (workflow) => {
      await start(sandbox.current, 'b3os', workflow);
      const { names, end } = await read('b3os', 'follow', workflow);
      expect(end).toBe('silent');
      expect(names).toEqual(expect.arrayContaining(['run.started', 'node.completed']));
      expect(names.at(-1)).toMatch(/^run\.(completed|failed)$/);
    },
  );
});
