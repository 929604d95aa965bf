import type { ErrorCode } from '../core/error-catalogue.ts';
import { GatewayError } from '../core/errors.ts';

interface Fault {
  code: ErrorCode;
  message?: string;
}

/** Fastify's own faults, as far as a request can cause them. */
const FASTIFY_FAULTS: Readonly<Record<string, Fault>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'unsupported_media_type' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: 'invalid_request', message: 'The body is not as long as it says.' },
  FST_ERR_BAD_URL: { code: 'invalid_request', message: 'The path is not a valid URL path.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'not_found' },
};

/**
 * Makes the contract's error of anything thrown while a request is handled; what nobody foresaw is `internal`.
 * `bodyBytesMax`: what the request's route takes.
 */
export function toGatewayError(error: unknown, { bodyBytesMax }: { bodyBytesMax: number }): GatewayError {
  if (error instanceof GatewayError) return error;
  const { code, statusCode } = readFault(error);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const message = `The request body is too large: at most ${bodyBytesMax} bytes are taken here.`;
    return new GatewayError('payload_too_large', { cause: error, message });
  }
  const known = code === null ? undefined : FASTIFY_FAULTS[code];
  if (known) return new GatewayError(known.code, { cause: error, ...(known.message && { message: known.message }) });
  const isClients = statusCode !== null && statusCode >= 400 && statusCode < 500;
  return isClients
    ? new GatewayError('invalid_request', { cause: error, message: 'The request could not be read.' })
    : new GatewayError('internal', { cause: error });
}

function readFault(error: unknown): { code: string | null; statusCode: number | null } {
  if (!(error instanceof Error)) return { code: null, statusCode: null };
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return {
    code: typeof code === 'string' ? code : null,
    statusCode: typeof statusCode === 'number' ? statusCode : null,
  };
}
