/** What all clients together saw. */
export interface Tally {
  /** Runs that an answer named. */
  accepted: Set<string>;
  calls: number;
  /** Answers by what they were: a run's status, or an error's code. */
  answers: Map<string, number>;
  /** What no client should ever see. */
  faults: string[];
}

const FAULTS_KEPT_MAX = 50;

export function createTally(): Tally {
  return { accepted: new Set(), calls: 0, answers: new Map(), faults: [] };
}

export function count({ answers }: Tally, what: string): void {
  answers.set(what, (answers.get(what) ?? 0) + 1);
}

export function complain({ faults }: Tally, fault: string): void {
  if (faults.length < FAULTS_KEPT_MAX) faults.push(fault);
}
