import { splitList } from './split-list.ts';

/** The forms in which a route can answer; errors are JSON, whatever was asked for. */
export type AnswerType = 'json' | 'event-stream' | 'text';

const QUALITY = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;
/** How exactly a range names a type; the most exact one that does decides (RFC 9110, 12.5.1). */
const PRECISION = {
  json: ['*/*', 'application/*', 'application/json'],
  'event-stream': ['*/*', 'text/*', 'text/event-stream'],
  text: ['*/*', 'text/*', 'text/plain'],
} as const satisfies Record<AnswerType, readonly string[]>;

interface Wish {
  quality: number;
  precision: number;
}

/** Whether `Accept` lets us answer in this form. None, or an empty one, lets us. */
export function accepts(type: AnswerType, accept: string | undefined): boolean {
  if (accept === undefined || accept === '*/*') return true;
  const ranges = splitList(accept, ',');
  return ranges.length === 0 || wishFor(type, ranges).quality > 0;
}

/**
 * What `Accept` would rather have; null where it takes neither. On a tie the type that is named more exactly counts, and
 * JSON where both are named alike.
 */
export function preferredType(accept: string | undefined): Exclude<AnswerType, 'text'> | null {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return 'json';
  if (accept === 'text/event-stream') return 'event-stream';
  const ranges = splitList(accept, ',');
  if (ranges.length === 0) return 'json';
  const json = wishFor('json', ranges);
  const events = wishFor('event-stream', ranges);
  if (json.quality === 0 && events.quality === 0) return null;
  if (json.quality !== events.quality) return json.quality > events.quality ? 'json' : 'event-stream';
  return json.precision >= events.precision ? 'json' : 'event-stream';
}

function wishFor(type: AnswerType, ranges: readonly string[]): Wish {
  const wish: Wish = { quality: 0, precision: 0 };
  for (const range of ranges) {
    const [name = '', ...parameters] = splitList(range, ';');
    const precision = 1 + (PRECISION[type] as readonly string[]).indexOf(name.toLowerCase());
    if (precision === 0 || precision < wish.precision) continue;
    const given = qualityOf(parameters);
    wish.quality = precision > wish.precision ? given : Math.max(wish.quality, given);
    wish.precision = precision;
  }
  return wish;
}

/** The range's weight; a malformed one counts as none given. */
function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const quality = QUALITY.exec(parameter.replaceAll(/\s/g, ''))?.[1];
    if (quality !== undefined) return Number(quality);
  }
  return 1;
}
