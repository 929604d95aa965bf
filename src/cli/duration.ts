const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^([1-9]\d{0,6})([mhd])$/;
const DURATION_MS_MAX = 3650 * UNIT_MS.d;

/** Reads `45m`, `12h` or `30d` as milliseconds; null where it is no duration of at most ten years. */
export function parseDuration(text: string): number | null {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined || unit === undefined) return null;
  const ms = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return ms <= DURATION_MS_MAX ? ms : null;
}
