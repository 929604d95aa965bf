import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../../core/errors.ts';

/** Beyond any log, and exact as a number. */
const SEQ = /^\d{1,15}$/;

/** The number of the last event that the client has seen, by its header; null where it sends none. Throws `invalid_request`. */
export function readLastEventId(headers: IncomingHttpHeaders): number | null {
  const value = headers['last-event-id'];
  if (value === undefined) return null;
  if (typeof value === 'string' && SEQ.test(value)) return Number(value);
  throw new GatewayError('invalid_request', {
    param: 'Last-Event-ID',
    message: '`Last-Event-ID` must be the number of an event of this run, or 0.',
  });
}
