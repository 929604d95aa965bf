import type { Check } from './checks.ts';

/** Checks that are made one after another, each printed when it is known. */
export interface Steps {
  readonly checks: readonly Check[];
  /** `work` resolves to figures for the reader, or throws what speaks against it. Resolves to whether it held. */
  readonly check: (name: string, work: () => Promise<string | void>) => Promise<boolean>;
}

export function createSteps(print: (line: string) => void): Steps {
  const checks: Check[] = [];
  return {
    checks,
    async check(name, work) {
      const done = await attempt(name, work);
      checks.push(done);
      const [fault] = done.faults;
      print(
        fault === undefined ? `ok   ${name}${done.detail && ` (${done.detail})`}` : `FAIL ${name}\n       ${fault}`,
      );
      return fault === undefined;
    },
  };
}

async function attempt(name: string, work: () => Promise<string | void>): Promise<Check> {
  try {
    return { name, detail: (await work()) ?? '', faults: [] };
  } catch (error) {
    return { name, detail: '', faults: [error instanceof Error ? error.message : String(error)] };
  }
}

/** Throws a sentence where something does not hold. */
export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** Asks again until `probe` resolves to something other than null. Throws `otherwise` where that takes too long. */
export async function eventually<T>(
  probe: () => Promise<T | null>,
  { timeoutMs, everyMs = 50, otherwise }: { timeoutMs: number; everyMs?: number; otherwise: string },
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
