import { parseJson } from '../core/json.ts';
import type { AnswerBody } from '../core/outbound.ts';

const TEXT_LENGTH_MAX = 500;
/** UTF-8 needs at most three bytes for a UTF-16 unit. */
const TEXT_BYTES_MAX = TEXT_LENGTH_MAX * 3;

/**
 * Reads a scrubbed body. A compressed one is never unpacked: nobody asked for it, an echo of the credential could not
 * be found in it, and unpacking needs a second size cap. It is unreadable, and its text says why.
 */
export function decodeBody(body: Buffer | null, { encoded }: { encoded: boolean }): AnswerBody {
  if (body === null || body.length === 0) return { kind: 'empty' };
  if (encoded) return { kind: 'unreadable', fault: 'compressed', text: '[compressed body]' };
  const parsed = parseJson(body);
  if (parsed.ok) return { kind: 'json', value: parsed.value };
  const text = body.toString('utf8', 0, TEXT_BYTES_MAX).slice(0, TEXT_LENGTH_MAX).toWellFormed();
  return { kind: 'unreadable', fault: parsed.fault, text };
}
