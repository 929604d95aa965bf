import { isJsonObject, type Json } from '../../core/json.ts';
import type { ReadFault } from '../outcome.ts';
import { reasonText, shortText } from '../reading.ts';

const DETAILS_MAX = 3;

/** `{message, error}`: the category and the rule; 422: FastAPI's `{detail: [{loc, msg}]}` (inferred). Never throws. */
export function readDetailedFault({ body }: { body: Json | undefined }): ReadFault {
  if (!isJsonObject(body)) return {};
  const texts = [shortText(body.message), reasonText(body.error), detailText(body.detail)];
  const said = texts.filter((text) => text !== null);
  return { message: shortText([...new Set(said)].join(': ')) };
}

function detailText(detail: Json | undefined): string | null {
  if (!Array.isArray(detail)) return reasonText(detail);
  const texts = detail.slice(0, DETAILS_MAX).flatMap((one) => {
    const text = isJsonObject(one) ? shortText(one.msg) : shortText(one);
    if (text === null) return [];
    const place = isJsonObject(one) ? placeText(one.loc) : '';
    return [place === '' ? text : `${place}: ${text}`];
  });
  return shortText(texts.join('; '));
}

/** `['body', 'workflow_id']` is `workflow_id`. */
function placeText(loc: Json | undefined): string {
  if (!Array.isArray(loc)) return '';
  const parts = loc.filter((part) => typeof part === 'string' || typeof part === 'number');
  return parts.filter((part) => part !== 'body').join('.');
}
