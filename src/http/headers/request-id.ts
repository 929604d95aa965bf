import type { IncomingMessage } from 'node:http';
import type { Ids } from '../../core/ids.ts';

const SANE = /^[\x21-\x7e]{1,128}$/;

/** Takes the caller's `x-request-id` where it is at most 128 visible ASCII characters; makes one otherwise. */
export function requestIdOf(raw: IncomingMessage, ids: Pick<Ids, 'request'>): string {
  const given = raw.headers['x-request-id'];
  return typeof given === 'string' && SANE.test(given) ? given : ids.request();
}
