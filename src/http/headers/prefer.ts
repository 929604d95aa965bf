import { splitList } from './split-list.ts';

const WAIT_DEFAULT_S = 60;
const WAIT_MAX_S = 300;
const PREFERENCE = /^([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(.*))?$/s;
const WAIT = /^(?:"(\d+)"|(\d+))$/;

/** How long an answer may be held, and what `Preference-Applied` says of it. */
export interface Hold {
  /** 0: answer at once. */
  ms: number;
  applied: string | null;
}

const HOLD_BY_DEFAULT: Hold = { ms: WAIT_DEFAULT_S * 1000, applied: null };
const NO_HOLD: Hold = { ms: 0, applied: null };

/** How a request that begins a run is answered: after 60 s where nothing is preferred. */
export function holdOfStart(prefer: string | undefined): Hold {
  if (prefer === undefined) return HOLD_BY_DEFAULT;
  const { respondAsync, waitS } = readPrefer(prefer);
  if (respondAsync && (waitS ?? 0) === 0) return { ms: 0, applied: 'respond-async' };
  return waitS === null ? HOLD_BY_DEFAULT : { ms: waitS * 1000, applied: `wait=${waitS}` };
}

/** How a request that reads a run is answered: at once where nothing is preferred. */
export function holdOfRead(prefer: string | undefined): Hold {
  if (prefer === undefined) return NO_HOLD;
  const { waitS } = readPrefer(prefer);
  return waitS === null ? NO_HOLD : { ms: waitS * 1000, applied: `wait=${waitS}` };
}

/** RFC 7240: what is unknown or malformed is ignored; of several of a name, the first counts. */
function readPrefer(prefer: string): { respondAsync: boolean; waitS: number | null } {
  let respondAsync = false;
  let waitS: number | null = null;
  for (const preference of splitList(prefer, ',')) {
    const [, name = '', value = ''] = PREFERENCE.exec(splitList(preference, ';')[0] ?? '') ?? [];
    switch (name.toLowerCase()) {
      case 'respond-async':
        // An empty value is the same as none.
        respondAsync ||= value === '' || value === '""';
        break;
      case 'wait':
        waitS ??= readWait(value);
        break;
      default:
    }
  }
  return { respondAsync, waitS };
}

function readWait(value: string): number | null {
  const [, quoted, bare] = WAIT.exec(value) ?? [];
  const digits = quoted ?? bare;
  return digits === undefined ? null : Math.min(Number(digits), WAIT_MAX_S);
}
