import { isPrintable } from '../core/printable.ts';

/** What bounds tokens. */
export const TOKEN_TTL_S_MAX = 3_600;
export const TOKEN_TTL_S_DEFAULT = 600;
export const TOKEN_WORKFLOWS_MAX = 100;
export const TOKEN_RUNS_MAX = 1_000_000;
export const SUBJECT_LENGTH_MAX = 200;
/** Of a whole token: the largest body makes one of some 11,000 characters. Longer texts are looked at no further. */
export const TOKEN_LENGTH_MAX = 12_288;

/** Whether a text may name a user: printable, so that no scope of ours can be meant by it. */
export function isSubject(text: string): boolean {
  return text !== '' && text.length <= SUBJECT_LENGTH_MAX && isPrintable(text);
}
