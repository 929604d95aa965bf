/** Adds to what is counted under a name. Names of which nothing is left are not kept. */
export function addToCount(counts: Map<string, number>, name: string, by: number): void {
  const now = (counts.get(name) ?? 0) + by;
  if (now === 0) counts.delete(name);
  else counts.set(name, now);
}
