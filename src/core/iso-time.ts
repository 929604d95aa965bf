/** The end of the year 9999, milliseconds since 1970: no later time can be written (RFC 3339). */
export const ISO_TIME_MAX = Date.UTC(10_000, 0) - 1;

/** Seconds that are remembered, a power of two; deadlines lie a little ahead of everything else that is written. */
const REMEMBERED = 16;

const seconds = new Float64Array(REMEMBERED).fill(Number.NaN);
const texts: string[] = [];

/**
 * RFC 3339 in UTC with milliseconds. `toISOString` is dear for something that each answer holds six times, nearly
 * always of the same few seconds, so the text up to the second is remembered.
 */
export function isoTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  const place = second & (REMEMBERED - 1);
  if (seconds[place] !== second) {
    texts[place] = new Date(second * 1000).toISOString().slice(0, -'000Z'.length);
    seconds[place] = second;
  }
  return `${texts[place]}${String(Math.floor(ms) - second * 1000).padStart(3, '0')}Z`;
}

/** The same for a time that may not be there. */
export function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
