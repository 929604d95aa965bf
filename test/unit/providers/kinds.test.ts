import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import b3os from '../../../src/providers/catalog/b3os.ts';
import draftAndGoal from '../../../src/providers/catalog/draft-and-goal.ts';
import interactly from '../../../src/providers/catalog/interactly.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';

const FIRST = PROVIDER_KINDS.filter(({ kind }) => ['ai-tutor', 'b3os', 'draft-and-goal', 'interactly'].includes(kind));

const can = (operation: 'poll' | 'lookup' | 'cancel' | 'pause' | 'resume' | 'verify') =>
  FIRST.filter((kind) => kind[operation]).map(({ kind }) => kind);

/** What proxies and other servers answer: an HTML page, of which no JSON was made, first of all. */
const NO_WORD: readonly (Json | undefined)[] = [
  undefined,
  null,
  'message',
  [],
  {},
  { message: 7 },
  { detail: 'Not Found' },
];

const goodStatuses = ({ verify }: Pick<AnyProviderKind, 'verify'>, body: Json | undefined) =>
  [200, 401, 402, 403, 404, 422, 429, 500].filter((status) => verify?.good({ status, body }));

describe('what the first kinds can do', () => {
  it('follows from their documents', () => {
    expect(can('poll')).toEqual(['b3os', 'draft-and-goal', 'interactly']);
    expect(can('lookup')).toEqual(['b3os']);
    expect(can('cancel')).toEqual(['b3os', 'interactly']);
    expect(can('pause')).toEqual(['interactly']);
    expect(can('resume')).toEqual(['interactly']);
    expect(can('verify')).toEqual(['ai-tutor', 'b3os', 'draft-and-goal', 'interactly']);
    expect(FIRST.map(({ repeat }) => repeat)).toEqual(['never', 'never', 'never', 'never']);
  });

  it.each(FIRST)('shows, at $kind, that no run began only by refusals that all of them document', (kind) => {
    const proofs = Array.from({ length: 500 }, (_, i) => i + 100).filter((status) => kind.notStarted({ status }));
    expect(proofs).toEqual([401, 402, 403, 404, 429]);
  });
});

describe('draft-and-goal', () => {
  it('takes 250 for a running run, and only where it asked for one', () => {
    expect(draftAndGoal.poll?.accepts).toEqual([200, 250]);
    expect(draftAndGoal.start.accepts).toBeUndefined();
    expect(draftAndGoal.poll?.read({ status: 250, headers: {}, body: null })).toEqual({ is: 'running', status: null });
  });

  it('keeps an input or a node that is named like a property of every object', () => {
    const inputs = Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    const { body } = draftAndGoal.start.request({
      workflow: 'w',
      clientRunId: 'run_1',
      inputs,
      options: {},
      settings: {},
    });
    expect(Object.keys((body as { inputs: object }).inputs)).toEqual(['__proto__', 'constructor']);
    const steps = [{ node_id: '__proto__', output: 1 }];
    const outcome = draftAndGoal.poll?.read({
      status: 200,
      headers: {},
      body: { success: true, data: { state: 'DONE', completed_steps: steps } },
    });
    expect(outcome).toMatchObject({ output: { data: Object.fromEntries([['__proto__', 1]]) } });
  });

  it('knows a good key by the error that is documented for a run that cannot exist', () => {
    const body = { type: 'error', error: { message: 'Invalid workflowrun id | Run deleted' } };
    expect(goodStatuses(draftAndGoal, body)).toEqual([404]);
    expect(goodStatuses(draftAndGoal, { message: 'Invalid workflowrun id | Run deleted' })).toEqual([404]);
    for (const other of [...NO_WORD, { error: 'Not Found' }]) expect(goodStatuses(draftAndGoal, other)).toEqual([]);
  });
});

describe('ai-tutor', () => {
  it('gives a blocking call the documented 300 s and the way there and back, and the run a little more', () => {
    expect(aiTutor.startTimeoutMs).toBeGreaterThan(300_000);
    expect(aiTutor.startTimeoutMs).toBeLessThan((aiTutor.defaultTimeoutS ?? 0) * 1000);
    expect(aiTutor.defaultTimeoutS).toBe(330);
  });

  it('knows a good key by a balance that says that it is one', () => {
    expect(goodStatuses(aiTutor, { success: true, credits: 0 })).toEqual([200]);
    for (const other of [...NO_WORD, { success: false }, { success: 'true' }, { credits: 5 }]) {
      expect(goodStatuses(aiTutor, other)).toEqual([]);
    }
  });
});

describe('b3os', () => {
  it('knows a good key by an error of either documented shape for a run that cannot exist', () => {
    expect(goodStatuses(b3os, { code: 404, message: 'Run not found', requestId: 'req-1' })).toEqual([404]);
    expect(goodStatuses(b3os, { success: false, error: { message: 'Run not found', code: 'NOT_FOUND' } })).toEqual([
      404,
    ]);
    expect(goodStatuses(b3os, { error: 'Run not found' })).toEqual([404]);
    const others = [{ error: ['Not Found'] }, { error: null }, { type: 'error' }];
    for (const other of [...NO_WORD, ...others]) expect(goodStatuses(b3os, other)).toEqual([]);
  });

  it.each([
    [{ simulate: true, dust_test: true }],
    [{ simulate: 'yes' }],
    [{ version: 1.5 }],
    [{ version: -1 }],
    [{ chat_message_id: '' }],
    [{ node_ids: [] }],
    [{ node_ids: ['a,b'] }],
    [{ runId: 'run_mine' }],
  ])('refuses the options %j', (options) => {
    expect(b3os.options.safeParse(options).success).toBe(false);
  });

  it.each([[{ org_id: 'acme' }], [{ org_id: 'org_a\r\nx: y' }], [{ orgId: 'org_1' }]])(
    'refuses the settings %j',
    (settings) => {
      expect(b3os.settings.safeParse(settings).success).toBe(false);
    },
  );

  it('names the option at fault', () => {
    const parsed = b3os.options.safeParse({ simulate: true, dust_test: true });
    expect(parsed.error?.issues.map(({ path }) => path)).toEqual([['dust_test']]);
  });
});

describe('interactly', () => {
  const recordWith = (status: string, events: Json[]) => ({
    status: 200,
    headers: {},
    body: {
      workflow_run: {
        _id: '0'.repeat(24),
        workflow_run: { status, input_output_pairs: [{ run_output: { events } }] },
      },
    },
  });
  const SAID: Json[] = [
    { type: 'say_static', message: 'Hello there' },
    { type: 'say_llm', message: { content: 'World' } },
    { type: 'say_llm', message: { content: [{ type: 'text', text: 'in ' }, { type: 'image' }, { text: 'blocks' }] } },
    { type: 'say_static', content: 'Bye' },
    { type: 'say_static', message: 7 },
  ];

  it('takes for text what say nodes said, in each of its forms, where the assistant answered nothing', () => {
    const text = 'Hello there\n\nWorld\n\nin blocks\n\nBye';
    expect(interactly.poll?.read(recordWith('completed', SAID))).toMatchObject({ is: 'succeeded', output: { text } });
    expect(interactly.poll?.read(recordWith('waiting_for_user_input', SAID))).toMatchObject({
      waiting: { hint: text },
    });
    const answered = [...SAID, { type: 'assistant_response', content: [{ type: 'text', text: 'Blocks' }] }];
    expect(interactly.poll?.read(recordWith('completed', answered))).toMatchObject({ output: { text: 'Blocks' } });
  });

  it.each<[JsonObject, string | null]>([
    [{ error: 'Node 2 failed' }, 'Node 2 failed'],
    [{ error_message: 'The model did not answer.', error: 'Node 2 failed' }, 'The model did not answer.'],
    [{ error_message: ' ', error: 'Node 2 failed' }, 'Node 2 failed'],
    [{ error_message: 7, error: { code: 3 } }, null],
  ])('takes the reason of a failed run from %j, in its record and in its stream', (fields, message) => {
    const event = { type: 'workflow_error', ...fields };
    expect(interactly.poll?.read(recordWith('failed', [event]))).toMatchObject({ is: 'failed', message });
    const reader = interactly.startStream?.open({ headers: {} });
    expect(reader?.read({ kind: 'message', value: event })).toMatchObject([{ outcome: { is: 'failed', message } }]);
  });

  it.each([
    ['5eb7cf5a86d9755df3a6c593', true],
    ['5EB7CF5A86D9755DF3A6C593', true],
    ['5eb7cf5a86d9755df3a6c59', false],
    ['5eb7cf5a86d9755df3a6c5933', false],
    ['5eb7cf5a86d9755df3a6c59g', false],
    ['0cf35172-859e-4b26-8ce9-6c2588a77b40', false],
  ])('takes the workflow id %s: %s', (id, good) => {
    expect(interactly.workflowId.safeParse(id).success).toBe(good);
  });

  it('says of a wrong id what is expected', () => {
    expect(interactly.workflowId.safeParse('wf_1').error?.issues[0]?.message).toMatch(
      /^expected 24 hexadecimal digits/,
    );
  });

  it.each([
    [{ command: 'stop' }],
    [{ dynamic_variables: {} }],
    [{ workflow_run_id: '5eb7cf5a86d9755df3a6c593' }],
    [{ run_by: 'somebody else' }],
    [{ team_id: 'another team' }],
    [{ runtime_variables: [] }],
    [{ thread_to_node_inputs: null }],
    [{ version_number: -1 }],
    [{ start_node_logical_id: '' }],
  ])('refuses the options %j', (options) => {
    expect(interactly.options.safeParse(options).success).toBe(false);
  });

  it.each([[{ dynamic_variables: {} }], [{ command: 'stop' }], [{ thread_to_node_inputs: 'x' }]])(
    'refuses the options of a resume %j',
    (options) => {
      expect(interactly.resumeOptions?.safeParse(options).success).toBe(false);
    },
  );

  it.each([[{ teamid: '' }], [{ uuid: 'a\r\nx: y' }], [{ api_version: 'latest' }], [{ team_id: 't' }]])(
    'refuses the settings %j',
    (settings) => {
      expect(interactly.settings.safeParse(settings).success).toBe(false);
    },
  );

  it('keeps names of options and inputs that are named like a property of every object', () => {
    const named = Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    const options = interactly.options.parse({ runtime_variables: named });
    const { body } = interactly.start.request({
      workflow: 'w',
      clientRunId: 'r',
      inputs: named,
      options,
      settings: {},
    });
    const { dynamic_variables: inputs, runtime_variables: variables } = body as Record<string, object>;
    for (const sent of [inputs, variables]) expect(Object.keys(sent ?? {})).toEqual(['__proto__', 'constructor']);
  });

  it('gives a start that may block the time of a long turn, and knows a good key by the list of runs', () => {
    expect(interactly.startTimeoutMs).toBe(300_000);
    const run = { _id: '5eb7cf5a86d9755df3a6c593', workflow_run: { status: 'completed' } };
    expect(goodStatuses(interactly, { workflow_runs: [run], total: 8 })).toEqual([200]);
    expect(goodStatuses(interactly, { workflow_runs: [], total: 0 })).toEqual([200]);
    const others = [{ workflow_runs: null }, { workflow_runs: ['a'] }, { workflow_run: run }, [run]];
    for (const other of [...NO_WORD, ...others]) expect(goodStatuses(interactly, other)).toEqual([]);
  });
});
