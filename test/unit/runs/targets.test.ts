import { describe, expect, it } from 'vitest';
import { createSystemRandom } from '../../../src/core/random.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import type { ProviderLimits } from '../../../src/providers/registry.ts';
import { createBreakers } from '../../../src/runs/breakers.ts';
import { createPacing } from '../../../src/runs/pacing.ts';
import { createTargets, type Choice } from '../../../src/runs/targets.ts';

const NONE = { concurrency: null, requestsPerMinute: null };
const LIMITS: ProviderLimits = { ...NONE, perCredential: NONE };

async function chooseWithout(credentials: { reference: string; weight: number }[]): Promise<Choice> {
  const clock = { now: () => 0, monotonic: () => 0 };
  const targets = createTargets({
    credentials: { pool: async () => [], reopen: () => Promise.reject(new Error('none is there')), mark: () => {} },
    breakers: createBreakers({
      clock,
      limits: { callsMin: 10, failureShare: 0.5, windowMs: 1_000, openMs: 1_000 },
      onChange: () => {},
    }),
    pacing: createPacing({ clock, counts: { busyAt: () => 0, busyWith: () => 0 } }),
    clock,
    random: createSystemRandom(),
  });
  const provider = { name: 'tutor', baseUrl: aiTutor.baseUrl, credentials, limits: LIMITS, kind: aiTutor };
  return (await targets.open(provider)).choose();
}

describe('a start without any credential', () => {
  it('is refused with how the operator adds one', async () => {
    const choice = await chooseWithout([]);
    expect(choice).toMatchObject({ is: 'refused', error: { code: 'no_credential' }, retryInMs: null });
    expect(choice.is === 'refused' && choice.error.message).toContain('`rungate credentials add tutor --stdin`');
  });

  it('is refused with where the operator looks, where the configuration names some; callers are not told which', async () => {
    const choice = await chooseWithout([{ reference: 'file:/run/secrets/tutor', weight: 1 }]);
    expect(choice).toMatchObject({ is: 'refused', error: { code: 'no_credential' }, retryInMs: null });
    const message = choice.is === 'refused' ? choice.error.message : '';
    expect(message).toContain('the configuration names for tutor are not set');
    expect(message).toContain('`rungate credentials list`');
    expect(message).not.toMatch(/credentials add|secrets\/tutor/);
  });
});
