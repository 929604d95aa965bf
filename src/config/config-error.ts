const FAULTS_SHOWN_MAX = 100;

/** One thing that is wrong. It never quotes a value that may be a secret. */
export interface ConfigFault {
  /** The file, or the environment variable. */
  source: string;
  /** Counted from 1; null for a variable, and where the file cannot be read at all. */
  line: number | null;
  column: number | null;
  /** Where in the file's structure: `workflows.summarize-ticket.provider`; empty for the whole. */
  path: string;
  /** What was expected. */
  message: string;
}

/** A configuration that cannot be used, with all of its faults at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(describeFaults(faults));
    this.faults = faults;
  }
}

/** One line: `rungate.yaml:4:13 workflows.summarize-ticket.provider: no provider of this name`. */
export function describeFault({ source, line, column, path, message }: ConfigFault): string {
  const position = line === null ? source : `${source}:${line}:${column ?? 1}`;
  return path === '' ? `${position}: ${message}` : `${position} ${path}: ${message}`;
}

function describeFaults(faults: readonly ConfigFault[]): string {
  const lines = faults.slice(0, FAULTS_SHOWN_MAX).map(describeFault);
  const hidden = faults.length - lines.length;
  return [...lines, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join('\n');
}
