/** One thing that must hold, and everything that speaks against it. */
export interface Check {
  name: string;
  /** Figures for the reader. */
  detail: string;
  faults: readonly string[];
}

const FAULTS_SHOWN = 10;

/** One line a check with its faults, then the closing line `N passed, N failed`. */
export function reportChecks(checks: readonly Check[]): { text: string; failed: number } {
  const failed = checks.filter(({ faults }) => faults.length > 0).length;
  const lines = checks.flatMap(({ name, detail, faults }) => [
    `${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : ` (${detail})`}`,
    ...faults.slice(0, FAULTS_SHOWN).map((fault) => `       ${fault}`),
    ...(faults.length > FAULTS_SHOWN ? [`       and ${faults.length - FAULTS_SHOWN} more`] : []),
  ]);
  return { text: [...lines, `${checks.length - failed} passed, ${failed} failed`].join('\n'), failed };
}
