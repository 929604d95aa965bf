const FILE = /^(\d+)\.(\d+)\.(\d+)\.json$/;

/** The highest version among files named `<version>.json`; null where there is none. */
export function newestVersion(files: readonly string[]): string | null {
  const versions = files
    .map((file) => FILE.exec(file))
    .filter((match) => match !== null)
    .map(([, major, minor, patch]) => [Number(major), Number(minor), Number(patch)] as const);
  const [newest] = versions.sort((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2]);
  return newest?.join('.') ?? null;
}
