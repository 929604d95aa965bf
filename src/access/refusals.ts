import { GatewayError } from '../core/errors.ts';

const HEADERS = { 'WWW-Authenticate': 'Bearer realm="rungate"' };

/** Whoever asks has not shown who it is. `message` only where it tells nothing to those who guess. */
export function unauthorized(message?: string): GatewayError {
  return new GatewayError('unauthorized', { headers: HEADERS, ...(message === undefined ? {} : { message }) });
}
