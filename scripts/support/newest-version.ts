/** The highest version among files named `<prefix><version>.json`; null where there is none. */
export function newestVersion(files: readonly string[], prefix = ''): string | null {
  const versions = files
    .filter((file) => file.startsWith(prefix))
    .map((file) => /^(\d+)\.(\d+)\.(\d+)\.json$/.exec(file.slice(prefix.length)))
    .filter((match) => match !== null)
    .map(([, major, minor, patch]) => [Number(major), Number(minor), Number(patch)] as const);
  const [newest] = versions.sort((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2]);
  return newest?.join('.') ?? null;
}
