/** Environment variables, as every reader of them gets them: by parameter. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The process's own environment, as it was at the start. Nothing else in Rungate reads it. A copy, because each look
 * into the real one asks the operating system, and credentials are looked up for every run.
 */
export function processEnvironment(): Environment {
  return { ...process.env };
}

/** A variable without surrounding white space; undefined where it is empty, which compose files make of unset ones. */
export function variable(environment: Environment, name: string): string | undefined {
  const value = Object.hasOwn(environment, name) ? environment[name]?.trim() : undefined;
  return value === '' ? undefined : value;
}
