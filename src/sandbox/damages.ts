/** Where a connection is cut. */
export type CutPoint = 'on-accept' | 'before-headers' | 'in-headers' | 'in-body' | 'in-error-body';

/** Where a connection is reset. */
export type ResetPoint = 'before-headers' | 'in-headers' | 'in-body';

export type Rubbish =
  | 'html'
  | 'empty'
  | 'not-json'
  | 'wrong-shape'
  | 'array'
  | 'huge'
  | 'deep'
  | 'bad-utf8'
  | 'half'
  | 'wrong-length'
  | 'broken-chunks'
  | 'nan'
  | 'echo-key'
  | 'many-headers'
  | 'success-false';

/** What is done to an answer instead of sending it as it is. */
export type Damage =
  /** The documented error of this status; `older`: in the shape of the vendor's older pages. */
  | { kind: 'status'; status: number; retryAfter: RetryAfter | null; older: boolean }
  /** The socket is destroyed there. */
  | { kind: 'cut'; at: CutPoint }
  /** The connection is reset (RST). */
  | { kind: 'reset'; at: ResetPoint }
  /** The head and half of the body, then silence on an open connection. */
  | { kind: 'stall' }
  /** Silence from the start. */
  | { kind: 'silence' }
  | { kind: 'rubbish'; what: Rubbish }
  /** An answer of this status, 100 to 199, before the normal one. */
  | { kind: 'interim'; status: number }
  /** This part of the normal answer comes in small pieces, spread over the time. */
  | { kind: 'drip'; part: 'headers' | 'body'; ms: number }
  /** The normal answer, in which each member comes twice, first as null. */
  | { kind: 'duplicate-keys' };

export interface RetryAfter {
  seconds: number;
  form: 'seconds' | 'date';
}

/** One way to damage an answer, as the documents and the tests list it. */
export interface DamageRule {
  /** How its name is written: `status-<code>`. */
  form: string;
  examples: readonly string[];
  effect: string;
}

const CUTS: readonly CutPoint[] = ['on-accept', 'before-headers', 'in-headers', 'in-body', 'in-error-body'];

const STATUS_EXAMPLES: readonly number[] = [
  204, 250, 301, 302, 400, 401, 402, 403, 404, 408, 409, 410, 418, 422, 429, 500, 502, 503, 504, 529,
];

const CUT_EFFECTS: Record<CutPoint, string> = {
  'on-accept': 'cuts the connection once the workflow is known (in its path: the body is not read): nothing is done',
  'before-headers': 'reads the request, does its work, then cuts the connection without an answer',
  'in-headers': 'cuts the connection in the middle of the answer’s head',
  'in-body': 'sends the head of the normal answer and half of its body, then cuts the connection',
  'in-error-body': 'sends the head of a 500 and half of its body, then cuts the connection',
};

const RESET_EFFECTS: Record<ResetPoint, string> = {
  'before-headers': 'reads the request, does its work, then resets the connection',
  'in-headers': 'resets the connection in the middle of the answer’s head',
  'in-body': 'sends the head of the normal answer and half of its body, then resets the connection',
};

const RUBBISH_EFFECTS: Record<Rubbish, string> = {
  html: 'answers 200 with an HTML page',
  empty: 'answers 200 without a body',
  'not-json': 'answers 200 with text that is no JSON, said to be JSON',
  'wrong-shape': 'answers 200 with a JSON object of another shape',
  array: 'answers 200 with a JSON array',
  huge: 'answers 200 with 50 MB of JSON, chunked',
  deep: 'answers 200 with 100,000 nested arrays',
  'bad-utf8': 'sends the normal answer with bytes in its strings that are not UTF-8',
  half: 'sends half of the normal answer, chunked, then cuts the connection',
  'wrong-length': 'announces a Content-Length that is half of the body which follows',
  'broken-chunks': 'sends half of the normal answer as a chunk, then a chunk whose size is no number',
  nan: 'answers 200 with `NaN` where JSON has a value',
  'echo-key': 'answers 400 and repeats the credential in headers and in the message',
  'many-headers': 'sends the normal answer with 2,000 more headers (about 100 KB)',
  'success-false': 'answers 200 with `"success": false` (B3OS: `"code": 500`, Interactly: no run) in the envelope',
};

/** Every way to damage an answer; `readDamage` understands exactly these. */
export const DAMAGE_RULES: readonly DamageRule[] = [
  {
    form: 'status-<code>',
    examples: STATUS_EXAMPLES.map((code) => `status-${code}`),
    effect: 'answers this status (200 to 599) with the documented body, where there is one',
  },
  {
    form: 'status-<code>-retry-<s>',
    examples: ['status-429-retry-7', 'status-503-retry-2'],
    effect: 'the same with `Retry-After` in seconds',
  },
  {
    form: 'status-<code>-retry-date-<s>',
    examples: ['status-429-retry-date-30'],
    effect: 'the same with `Retry-After` as a date that many seconds ahead',
  },
  {
    form: 'status-<code>-older',
    examples: ['status-404-older'],
    effect: 'the same with the error shape of the vendor’s older pages, where they show one',
  },
  ...CUTS.map((at) => ({ form: `cut-${at}`, examples: [`cut-${at}`], effect: CUT_EFFECTS[at] })),
  ...Object.entries(RESET_EFFECTS).map(([at, effect]) => ({ form: `reset-${at}`, examples: [`reset-${at}`], effect })),
  {
    form: 'stall-in-body',
    examples: ['stall-in-body'],
    effect: 'sends the head and half of the body of the normal answer, then nothing more',
  },
  { form: 'never-answers', examples: ['never-answers'], effect: 'reads the request, does its work, never answers' },
  ...Object.entries(RUBBISH_EFFECTS).map(([what, effect]) => ({
    form: `answer-${what}`,
    examples: [`answer-${what}`],
    effect,
  })),
];

const STATUS = /^status-([2-5]\d\d)(?:-retry-(date-)?(\d{1,6}))?(-older)?$/;

/** Reads the name of a damage; null where it is none. */
export function readDamage(name: string): Damage | null {
  const status = STATUS.exec(name);
  if (status) {
    const [, code, date, seconds, older] = status;
    const retryAfter: RetryAfter | null =
      seconds === undefined ? null : { seconds: Number(seconds), form: date === undefined ? 'seconds' : 'date' };
    return { kind: 'status', status: Number(code), retryAfter, older: older !== undefined };
  }
  const reset = name.startsWith('reset-') ? name.slice('reset-'.length) : '';
  if (isResetPoint(reset)) return { kind: 'reset', at: reset };
  if (name === 'stall-in-body') return { kind: 'stall' };
  if (name === 'never-answers') return { kind: 'silence' };
  const cut = CUTS.find((at) => name === `cut-${at}`);
  if (cut !== undefined) return { kind: 'cut', at: cut };
  const what = name.startsWith('answer-') ? name.slice('answer-'.length) : '';
  return isRubbish(what) ? { kind: 'rubbish', what } : null;
}

function isResetPoint(at: string): at is ResetPoint {
  return Object.hasOwn(RESET_EFFECTS, at);
}

function isRubbish(what: string): what is Rubbish {
  return Object.hasOwn(RUBBISH_EFFECTS, what);
}

/**
 * Whether the vendor did what it was asked although its answer is damaged. After a 5xx nobody can
 * tell, so the sandbox takes the worse case for a caller who would send again: it did.
 */
export function takesEffect(damage: Damage | null): boolean {
  if (damage === null) return true;
  switch (damage.kind) {
    case 'status':
      return damage.status < 300 || damage.status >= 500;
    case 'cut':
      return damage.at !== 'on-accept';
    case 'rubbish':
      return damage.what !== 'echo-key' && damage.what !== 'success-false';
    case 'reset':
    case 'stall':
    case 'silence':
    case 'interim':
    case 'drip':
    case 'duplicate-keys':
      return true;
  }
}

/** Whether a vendor did to a run what it was told, which it may be told again: not where its answer says no. */
export function obeys(damage: Damage | null): boolean {
  if (damage?.kind === 'status') return damage.status < 300;
  return !(damage?.kind === 'cut' && damage.at === 'on-accept');
}
