import { splitList } from './split-list.ts';

const QUALITY = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;
/** How exactly a range names JSON; the most exact one that does decides (RFC 9110, 12.5.1). */
const PRECISION: Readonly<Record<string, number>> = { '*/*': 1, 'application/*': 2, 'application/json': 3 };

/** Whether `Accept` lets us answer in JSON. None, or an empty one, lets us. */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return true;
  const ranges = splitList(accept, ',');
  if (ranges.length === 0) return true;
  let precisionMax = 0;
  let quality = 0;
  for (const range of ranges) {
    const [type = '', ...parameters] = splitList(range, ';');
    const precision = PRECISION[type.toLowerCase()] ?? 0;
    if (precision === 0 || precision < precisionMax) continue;
    const given = qualityOf(parameters);
    quality = precision > precisionMax ? given : Math.max(quality, given);
    precisionMax = precision;
  }
  return quality > 0;
}

/** The range's weight; a malformed one counts as none given. */
function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const quality = QUALITY.exec(parameter.replaceAll(/\s/g, ''))?.[1];
    if (quality !== undefined) return Number(quality);
  }
  return 1;
}
