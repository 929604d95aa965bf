import type { FastifyRequest } from 'fastify';
import { GatewayError, wrongParam } from '../../core/errors.ts';
import { findInexactNumber } from '../../core/exact-json.ts';
import { isJsonObject, parseJson, type JsonFault, type JsonObject } from '../../core/json.ts';
import type { App } from '../app.ts';
import { isUtf8 } from '../headers/media-type.ts';

const MESSAGES: Readonly<Record<JsonFault, string>> = {
  not_utf8: 'The request body is not valid UTF-8.',
  not_json: 'The request body is not valid JSON.',
  too_deep: 'The request body is nested too deeply.',
};

/** Bodies are JSON objects in UTF-8, or nothing; every other type is refused. */
export function addJsonBody(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      done(null, request.routeOptions.config.rawBody === true ? bytes : readBody(request, bytes));
    } catch (error) {
      done(error as Error);
    }
  });
}

function readBody(request: FastifyRequest, bytes: Buffer): JsonObject | undefined {
  if (!isUtf8(request.headers['content-type'])) throw new GatewayError('unsupported_media_type');
  if (bytes.length === 0) return undefined;
  // What is not near enough is refused below; the rest are plain numbers, as schemas want them.
  const parsed = parseJson(bytes, JSON.parse);
  if (!parsed.ok) throw new GatewayError('invalid_json', { message: MESSAGES[parsed.fault] });
  if (!isJsonObject(parsed.value)) {
    throw new GatewayError('invalid_request', { message: 'The request body must be a JSON object.' });
  }
  const inexact = findInexactNumber(bytes.toString());
  if (inexact !== null) {
    const message = `\`${inexact}\`: this number cannot be handed on as it stands; send it as a string.`;
    throw wrongParam(inexact, message);
  }
  return parsed.value;
}
