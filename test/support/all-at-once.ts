/** Cases that mostly wait: begun together, looked at one test each. */
export interface AllAtOnce<Result> {
  begin(): void;
  resultOf(name: string): Promise<Result>;
}

/** Does the work once few others are under way: for what has to keep up with something that goes on by the clock. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

interface Order<Case> {
  /** How many cases at a time are in their turn. */
  atATimeMax?: number;
  /** Cases that race with somebody's clock from beginning to end: those are over before any other begins. */
  first?: (one: Case) => boolean;
}

/** So many at a time take milliseconds each, even where the machine has much else to do. */
const AT_A_TIME_MAX = 4;

/**
 * Prepares to run every case at the same time, but for what a case does in its turn, when fewer than `atATimeMax` others do.
 * A case's fault is thrown to whoever asks for its result.
 */
export function allAtOnce<Case, Result>(
  cases: readonly Case[],
  nameOf: (one: Case) => string,
  run: (one: Case, inTurn: InTurn) => Promise<Result>,
  { atATimeMax = AT_A_TIME_MAX, first = () => false }: Order<Case> = {},
): AllAtOnce<Result> {
  const results = new Map<string, Promise<Result>>();
  const inTurn = turns(atATimeMax);
  function keep(one: Case, result: Promise<Result>): Promise<Result> {
    // Its test will look; until then it must not count as unhandled.
    result.catch(() => undefined);
    results.set(nameOf(one), result);
    return result;
  }
  async function runAfter(others: Promise<unknown>, one: Case): Promise<Result> {
    await others;
    return run(one, inTurn);
  }
  return {
    begin() {
      const hasty = cases.filter(first).map((one) => keep(one, run(one, inTurn)));
      const over = Promise.allSettled(hasty);
      for (const one of cases) if (!first(one)) void keep(one, runAfter(over, one));
    },
    resultOf(name) {
      return results.get(name) ?? Promise.reject(new Error(`no case is called ${name}`));
    },
  };
}

function turns(places: number): InTurn {
  const queue: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = queue.shift();
      // The place goes to whoever is next, or is free.
      if (next) next();
      else free += 1;
    }
  };
}
