import { OutboundError, type OutboundAnswer, type OutboundRequest } from '../../../src/core/outbound.ts';
import type { Outage } from './resilience-plan.ts';
import type { SimulatedClock } from './simulated-clock.ts';
import { answer } from './vendor-answers.ts';

/** What a start meets where its vendor is in trouble: an answer, a connection that is not made, or (null) nothing special. */
export type Weather = (request: OutboundRequest) => OutboundAnswer | null;

export function vendorWeather(outages: readonly Outage[], clock: SimulatedClock): Weather {
  return ({ about, credential }) => {
    const nowMs = clock.monotonic();
    const outage = outages.find(({ provider, credentialId, from, to }) => {
      const isMeant = provider === about?.provider && (credentialId === null || credentialId === credential.id);
      return isMeant && from <= nowMs && nowMs < to;
    });
    switch (outage?.how) {
      case undefined:
        return null;
      case 'unreachable':
        throw new OutboundError('connect', { sent: false });
      case 'unavailable':
        return answer(503, {}, { 'retry-after': '2' });
      case 'limited':
        return answer(429, {});
      case 'limited_for_long':
        return answer(429, {}, { 'retry-after': '20' });
      case 'unauthorized':
        return answer(401, {});
      case 'unpaid':
        return answer(402, {});
      case 'forbidden':
        return answer(403, {});
    }
  };
}
