import { ERRORS } from '../../../test/contract/vendors/contract-table.ts';
import type { Check } from '../../../test/support/processes/checks.ts';
import { code, table } from '../markdown.ts';
import { KINDS } from './fault-list.ts';
import type { PlayedFault, PlayedFaults } from './play.ts';

const FAULTS_MIN = 25;
/** As shipped: two retries of a start that was surely not sent. */
const ATTEMPTS_MAX = 3;

/** One row for each fault at each kind. */
export function faultTable({ faults }: PlayedFaults): string {
  const rows = faults.map((one) => {
    const { kind, fault, httpStatus, run, tookMs, starts } = one;
    const begun = starts.filter(({ began }) => began).length;
    return [
      code(kind),
      fault.name,
      String(httpStatus),
      run.error === null ? '–' : code(run.error.code),
      `${(tookMs / 1000).toFixed(1)} s`,
      String(run.attempts.length),
      code(run.status),
      `${starts.length} (${begun})`,
    ];
  });
  const headings = ['kind', 'fault', 'HTTP', 'error', 'took', 'attempts', 'run', 'starts seen (may have begun)'];
  return table(headings, rows);
}

/** What was promised, and whether it was kept. */
export function judgeFaults(played: PlayedFaults): Check[] {
  const { faults, broken, complaints, alive } = played;
  return [
    judgeCount(faults),
    { name: 'every run has ended', detail: `${faults.length} runs`, faults: broken },
    judgeEnds(faults),
    judgeEnvelopes(faults),
    judgeStarts(faults),
    judgeAttempts(faults),
    {
      name: 'no answer shows a credential',
      detail: '',
      faults: faults.filter(({ leaked }) => leaked).map(nameOf),
    },
    {
      name: 'the process lives, and logged no error and no unhandled rejection',
      detail: '',
      faults: [...(alive ? [] : ['/healthz does not answer 200']), ...complaints],
    },
  ];
}

function nameOf({ kind, fault }: PlayedFault): string {
  return `${kind}: ${fault.name}`;
}

function endOf({ run }: PlayedFault): string {
  return run.error?.code ?? run.status;
}

function judgeCount(faults: readonly PlayedFault[]): Check {
  const counts = KINDS.map((kind) => ({ kind, count: faults.filter((one) => one.kind === kind).length - 1 }));
  return {
    name: `at least ${FAULTS_MIN} faults at each kind`,
    detail: counts.map(({ kind, count }) => `${kind} ${count}`).join(', '),
    faults: counts.filter(({ count }) => count < FAULTS_MIN).map(({ kind, count }) => `${kind}: ${count}`),
  };
}

function judgeEnds(faults: readonly PlayedFault[]): Check {
  return {
    name: 'each run ends as the contract says',
    detail: `${new Set(faults.map(endOf)).size} different ends`,
    faults: faults.flatMap((one) => {
      const wanted = one.fault.ends(one.kind);
      return wanted.includes(endOf(one)) ? [] : [`${nameOf(one)}: ${endOf(one)}, not ${wanted.join(' or ')}`];
    }),
  };
}

/** A run that failed before it was accepted is answered with its error; any other end is 200 and the run. */
function judgeEnvelopes(faults: readonly PlayedFault[]): Check {
  return {
    name: 'each answer has the form and the status of its code',
    detail: '',
    faults: faults.flatMap((one) => {
      const { refusal, httpStatus, run } = one;
      if (refusal === null)
        return httpStatus === 200 || httpStatus === 202 ? [] : [`${nameOf(one)}: HTTP ${httpStatus}`];
      const promised = Object.entries(ERRORS).find(([name]) => name === refusal)?.[1];
      if (promised === undefined) return [`${nameOf(one)}: ${refusal} is no code of the contract`];
      if (run.error?.code !== refusal) return [`${nameOf(one)}: answered ${refusal}, the run says ${endOf(one)}`];
      const { status, source, retryable } = promised;
      const { error } = run;
      if (httpStatus === status && error.source === source && error.retryable === retryable) return [];
      return [`${nameOf(one)}: ${refusal} with HTTP ${httpStatus}, ${error.source}, retryable ${error.retryable}`];
    }),
  };
}

function judgeStarts(faults: readonly PlayedFault[]): Check {
  const begunOf = ({ starts }: PlayedFault) => starts.filter(({ began }) => began).length;
  return {
    name: 'no vendor saw more than one start that may have begun a run, and none where the run says that it may be sent again',
    detail: `${faults.reduce((sum, one) => sum + begunOf(one), 0)} may have begun`,
    faults: faults.flatMap((one) => {
      const begun = begunOf(one);
      if (begun > 1) return [`${nameOf(one)}: ${begun} starts that may have begun a run`];
      return begun === 1 && one.run.error?.retryable === true ? [`${nameOf(one)}: began, and is retryable`] : [];
    }),
  };
}

/** Another attempt only where nothing was sent. */
function judgeAttempts(faults: readonly PlayedFault[]): Check {
  const retried = faults.filter(({ run }) => run.attempts.length > 1);
  return {
    name: 'only what was not sent is sent again, and the attempts say what became of them',
    detail: `${retried.length} runs with more than one attempt`,
    faults: faults.flatMap((one) => {
      const { attempts } = one.run;
      const codes = attempts.map(({ error_code: errorCode }) => errorCode);
      const unsent = codes.slice(0, -1).every((errorCode) => errorCode === 'upstream_unreachable');
      const counted = attempts.length >= 1 && attempts.length <= ATTEMPTS_MAX;
      return unsent && counted && one.starts.length <= attempts.length ? [] : [`${nameOf(one)}: ${codes.join(', ')}`];
    }),
  };
}
