/** Cases that mostly wait: begun together, looked at one test each. */
export interface AllAtOnce<Result> {
  begin(): void;
  resultOf(name: string): Promise<Result>;
}

/** Prepares to run every case at the same time; a case's fault is thrown to whoever asks for its result. */
export function allAtOnce<Case, Result>(
  cases: readonly Case[],
  nameOf: (one: Case) => string,
  run: (one: Case) => Promise<Result>,
): AllAtOnce<Result> {
  const results = new Map<string, Promise<Result>>();
  return {
    begin() {
      for (const one of cases) {
        const result = run(one);
        // Its test will look; until then it must not count as unhandled.
        result.catch(() => undefined);
        results.set(nameOf(one), result);
      }
    },
    resultOf(name) {
      return results.get(name) ?? Promise.reject(new Error(`no case is called ${name}`));
    },
  };
}
