import { OutboundError, type PlainAnswer, type PlainPost } from '../../../src/core/outbound.ts';
import type { Journal } from './journal.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

const FATES = { ok: 45, fail: 14, busy: 6, redirect: 3, gone: 5, cut: 8, lost: 5, unsent: 6, hang: 8 } as const;

export interface WebhookTargets {
  post(process: number, alive: () => boolean, message: PlainPost, signal: AbortSignal): Promise<PlainAnswer>;
  calm(): void;
}

/**
 * Callers' own addresses. What comes after the last slash of one says how it behaves once the faults have ended: it takes
 * everything, fails so many times more, or never takes anything.
 */
export function webhookTargets({
  clock,
  random,
  journal,
}: {
  clock: SimulatedClock;
  random: SeededRandom;
  journal: Journal;
}): WebhookTargets {
  const failures = new Map<string, number>();
  let calmed = false;
  let posts = 0;

  function calmFate(url: string): keyof typeof FATES {
    const behaviour = url.slice(url.lastIndexOf('/') + 1);
    if (behaviour === 'dead') return 'fail';
    const failed = failures.get(url) ?? 0;
    if (failed >= Number(/^fails-(\d+)$/.exec(behaviour)?.[1] ?? 0)) return 'ok';
    failures.set(url, failed + 1);
    return 'cut';
  }

  /** The status, or what the sender gets instead of an answer. */
  function statusOf(fate: keyof typeof FATES): number | OutboundError {
    switch (fate) {
      case 'ok':
        return random.pick([200, 202, 204]);
      case 'fail':
        return random.pick([400, 404, 500, 502]);
      case 'busy':
        return 503;
      case 'redirect':
        return 302;
      case 'gone':
        return 410;
      case 'cut':
      // It was taken, and the answer was lost.
      case 'lost':
        return new OutboundError('reset', { sent: true });
      case 'unsent':
        return new OutboundError('connect', { sent: false });
      case 'hang':
        return new OutboundError('headers_timeout', { sent: true });
    }
  }

  return {
    post(process, alive, { url, headers, body, timeoutMs }, signal) {
      if (signal.aborted) return Promise.reject(new OutboundError('aborted', { sent: false }));
      const id = headers['webhook-id'] ?? '';
      const number = ++posts;
      journal.deliveries.push({ is: 'posted', at: clock.now(), process, number, id, body });
      const fate = calmed ? calmFate(url) : random.weigh(FATES);
      const waitMs = fate === 'hang' ? timeoutMs : random.below(random.chance(0.15) ? 15_000 : 300);
      return new Promise((resolve, reject) => {
        let over = false;
        const back = (status: number | OutboundError) => {
          if (over) return;
          over = true;
          signal.removeEventListener('abort', abort);
          const said = typeof status === 'number' ? status : null;
          // A target that has taken it has taken it, whoever dies.
          journal.deliveries.push({
            is: 'answered',
            at: clock.now(),
            id,
            number,
            status: fate === 'lost' ? 200 : said,
          });
          if (!alive()) return;
          if (typeof status === 'number') resolve({ status, headers: status === 503 ? { 'retry-after': '7' } : {} });
          else reject(status);
        };
        const abort = () => back(new OutboundError('aborted', { sent: true }));
        clock.after(waitMs, () => back(statusOf(fate)));
        signal.addEventListener('abort', abort, { once: true });
      });
    },
    calm: () => void (calmed = true),
  };
}
