import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, vendorOf, type TestGateway } from '../../support/gateway.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';

const KIND = 'ai-tutor';
const RUNS = 400;
/** Five times the standard deviation of 400 runs at nine to one. */
const MARGIN = 30;
const AT_ONCE = 50;

let gateway: TestGateway;

beforeAll(async () => {
  const target = (workflow: string, weight: number) => ({ provider: KIND, workflow, weight });
  const targets = [target('usual', 9), target('canary', 1), target('retired', 0)];
  gateway = await startTestGateway({
    workflows: { chance: { targets }, sticky: { targets, sticky_by: 'user_id' } },
    providers: (sandbox) => ({ [KIND]: { kind: KIND, baseUrl: vendorOf(sandbox, KIND).baseUrl } }),
  });
});
afterAll(async () => {
  await stopCleanly(gateway, []);
});

/** The vendor's workflows of that many runs; the metadata of each by its number. */
async function targetsOf(workflow: string, runs: number, metadata: (number: number) => object): Promise<string[]> {
  const found: string[] = [];
  for (let begun = 0; begun < runs; begun += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, runs - begun) }, (_, i) =>
      gateway.post('/runs', { workflow, metadata: metadata(begun + i) }),
    );
    for (const { body } of await Promise.all(some)) {
      expect(body).toMatchObject({ status: 'succeeded', workflow });
      found.push(body.upstream.workflow_id);
    }
  }
  return found;
}

const count = (targets: readonly string[], name: string) => targets.filter((target) => target === name).length;

describe('weighted targets', () => {
  it('get their share of the runs, and none where the weight is 0', async () => {
    const targets = await targetsOf('chance', RUNS, () => ({}));
    expect(Math.abs(count(targets, 'canary') - RUNS / 10)).toBeLessThan(MARGIN);
    expect(count(targets, 'usual') + count(targets, 'canary')).toBe(RUNS);
  });

  it('share the values of a sticky key, and each value keeps its target, over a restart too', async () => {
    const ofUser = (number: number) => ({ user_id: `user-${number}` });
    const targets = await targetsOf('sticky', RUNS, ofUser);
    expect(count(targets, 'canary')).toBeGreaterThan(0);
    expect(Math.abs(count(targets, 'canary') - RUNS / 10)).toBeLessThan(MARGIN);
    await gateway.shutDown();
    await gateway.startUp();
    expect(await targetsOf('sticky', 100, ofUser)).toEqual(targets.slice(0, 100));
  });

  it('are chosen by chance where a run has no such key', async () => {
    const targets = await targetsOf('sticky', 100, () => ({ other: 'same' }));
    expect(new Set(targets)).toEqual(new Set(['usual', 'canary']));
  });
});
