import { GatewayError } from '../core/errors.ts';

/** Whoever asks has not shown who it is. `message` only where it tells nothing to those who guess. */
export function unauthorized(message?: string): GatewayError {
  return new GatewayError('unauthorized', message === undefined ? {} : { message });
}

/** Only whoever shows a good signature is told. */
export function expired(): GatewayError {
  return unauthorized('This token has expired; get a new one.');
}
