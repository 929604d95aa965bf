import { describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import b3os from '../../../src/providers/catalog/b3os.ts';
import draftAndGoal from '../../../src/providers/catalog/draft-and-goal.ts';

const can = (operation: 'poll' | 'lookup' | 'cancel' | 'verify') =>
  PROVIDER_KINDS.filter((kind) => kind[operation]).map(({ kind }) => kind);

describe('what the first kinds can do', () => {
  it('follows from their documents', () => {
    expect(can('poll')).toEqual(['b3os', 'draft-and-goal']);
    expect(can('lookup')).toEqual(['b3os']);
    expect(can('cancel')).toEqual(['b3os']);
    expect(can('verify')).toEqual(['ai-tutor', 'b3os', 'draft-and-goal']);
    expect(PROVIDER_KINDS.map(({ repeat }) => repeat)).toEqual(['never', 'never', 'never']);
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

  it('knows a good key by the 404 for a run that cannot exist', () => {
    expect([200, 401, 403, 404, 429, 500].filter((status) => draftAndGoal.verify?.good({ status }))).toEqual([404]);
  });
});

describe('ai-tutor', () => {
  it('gives a blocking call the documented 300 s and the way there and back, and the run a little more', () => {
    expect(aiTutor.startTimeoutMs).toBeGreaterThan(300_000);
    expect(aiTutor.startTimeoutMs).toBeLessThan((aiTutor.defaultTimeoutS ?? 0) * 1000);
    expect(aiTutor.defaultTimeoutS).toBe(330);
  });
});

describe('b3os', () => {
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
