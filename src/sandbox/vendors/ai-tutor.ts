import { STATUS_CODES } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Random } from '../../core/random.ts';
import { readDamage } from '../damages.ts';
import type { Plan, Trait } from '../plan.ts';
import { json, jsonObjectIn, Refusal, requireBearer, type Call, type Reply } from '../http-kit.ts';
import { piecesOf, randomHex, sentenceAbout } from '../made-up.ts';
import { receiveStart, type BegunRun, type StartDesk } from '../receive-start.ts';
import {
  defineVendorSandbox,
  type ErrorDetail,
  type Route,
  type Sending,
  type Vendor,
  type VendorParts,
} from '../vendor.ts';
import { answerStream } from './ai-tutor-stream.ts';

const TRAITS: readonly Trait[] = ['citations', 'stream', 'stream-formats'];

/** `<key>.token-<damage>` is a good key whose tokens cannot be had: a token is asked for before a workflow is named. */
const TOKEN_DAMAGE = '.token-';

const RUN_MS_MAX = 300_000;
const TOKEN_TTL_S_MAX = 300;
const TOKEN_TTL_S_DEFAULT = 60;
const TOKENS_MAX = 10_000;
const CREDITS = 1_000_000;
/** Counted down in the headers, never enforced: a bench may send more. */
const RATE_LIMIT = 1_000_000;
const RATE_WINDOW_MS = 60_000;

interface Documented {
  message: string;
  /** `code` beside it, on the pages that show one. */
  code?: string;
  /** In the older pages' shape. */
  olderCode: string;
}

const ERRORS: Readonly<Record<number, Documented>> = {
  400: { message: 'Invalid request', olderCode: 'invalid_request' },
  401: { message: 'Unauthorized. Please provide a valid secret key.', olderCode: 'unauthorized' },
  402: { message: 'No credits remaining.', code: 'no_credits', olderCode: 'no_credits' },
  404: { message: 'Workflow not found or not published.', olderCode: 'workflow_not_found' },
  429: { message: 'Rate limit exceeded', olderCode: 'rate_limit_exceeded' },
  500: {
    message: 'Something went wrong during execution.',
    code: 'internal_server_error',
    olderCode: 'internal_server_error',
  },
};

/** AI Tutor, as support.myapps.ai describes it: one call that answers when the text is written. */
export const aiTutor = defineVendorSandbox({
  kind: 'ai-tutor',
  title: 'AI Tutor',
  basePath: '',
  demoKey: 'sk_sandbox_demo_key',
  ordinaryRunMs: 50,
  traits: TRAITS,
  create,
});

interface Begun extends BegunRun {
  workflow: string;
  inputs: JsonObject;
  plan: Plan;
}

function create(parts: VendorParts): Vendor {
  const account = createAccount(parts.clock);
  const tokens = createTokens(parts);
  const blocking = desk(parts, async (begun, call) => {
    const failure = await work(begun, call, parts.runMs);
    return failure ?? json(200, { success: true, ...account.charge(resultOf(begun)) });
  });
  const streaming = desk(parts, async (begun, call) => {
    const { plan } = begun;
    const fails = plan.end === 'failure' && plan.stream.trouble?.is !== 'error';
    const failure = fails ? await work(begun, call, parts.runMs) : null;
    return failure ?? answerStream(account.charge(piecesIn(begun)), { plan, call, runMs: plan.runMs ?? parts.runMs });
  });
  const keyIn = (call: Call) => requireBearer(call, [parts.key], undefined, TOKEN_DAMAGE);
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/api/v1/run/:id',
      async handle(call, workflow) {
        keyIn(call);
        showRate(call, account.nextRate());
        return receiveStart(blocking, call, workflow);
      },
    },
    {
      method: 'POST',
      path: '/api/v1/run/:id/stream',
      async handle(call, workflow) {
        if (!tokens.spend(call.query.get('token') ?? '')) throw new Refusal(401, 'Invalid or expired token');
        showRate(call, account.nextRate());
        return receiveStart(streaming, call, workflow);
      },
    },
    {
      method: 'GET',
      path: '/api/v1/token',
      async handle(call) {
        const damage = readDamage(keyIn(call).split(TOKEN_DAMAGE)[1] ?? '');
        const ttl = readTtl(call.query.get('ttl'));
        const reply = json(200, { success: true, token: tokens.issue(ttl), ttl });
        return { reply, damage, concerns: 'start' };
      },
    },
    {
      method: 'GET',
      path: '/api/v1/balance',
      async handle(call) {
        keyIn(call);
        return normal(json(200, { success: true, credits: account.credits() }));
      },
    },
  ];
  return {
    routes,
    errorReply,
    unsuccessful: () => ({ success: false, error: 'The workflow produced no result.' }),
    credentialOf: (call) => (call.header('authorization') ?? '').replace(/^bearer +/i, ''),
    reset() {
      account.reset();
      tokens.reset();
    },
  };
}

function desk(parts: VendorParts, reply: StartDesk<Begun>['reply']): StartDesk<Begun> {
  return {
    kind: 'ai-tutor',
    traits: TRAITS,
    starts: parts.starts,
    read: jsonObjectIn,
    begin: (inputs, { workflow, plan }) => ({ runId: null, workflow, inputs, plan }),
    reply,
  };
}

function normal(reply: Reply): Sending {
  return { reply, damage: null, concerns: 'start' };
}

/** Flat as on today's pages; `older`: `{ success, error: { message, code } }`. */
function errorReply(status: number, { message, code, older }: ErrorDetail = {}): Reply {
  const known = ERRORS[status];
  const text = message ?? known?.message ?? STATUS_CODES[status] ?? 'Error';
  const empty = status === 429 ? rateHeaders(0) : {};
  if (older)
    return json(status, { success: false, error: { message: text, code: known?.olderCode ?? 'error' } }, empty);
  const shown = code ?? known?.code;
  return json(status, { error: text, success: false, ...(shown === undefined ? {} : { code: shown }) }, empty);
}

/** Takes the run's time. The documents end a run after 300 s; what is answered then they do not say. */
async function work({ plan }: Begun, call: Call, ordinaryMs: number): Promise<Reply | null> {
  const runMs = plan.runMs ?? ordinaryMs;
  await call.delay(Math.min(runMs, RUN_MS_MAX));
  if (runMs > RUN_MS_MAX) return errorReply(500, { message: 'The run took longer than 300 seconds.' });
  return plan.end === 'failure' ? errorReply(500) : null;
}

function piecesIn({ workflow, inputs, plan }: Begun): string[] {
  return piecesOf(plan, sentenceAbout(workflow, inputs));
}

function resultOf(begun: Begun): { result: string; citations?: string[] } {
  const { plan } = begun;
  const result = piecesIn(begun).join('');
  if (plan.citations === null) return { result };
  return { result, citations: Array.from({ length: plan.citations }, (_, i) => `https://example.com/source-${i + 1}`) };
}

function readTtl(text: string | null): number {
  if (text === null) return TOKEN_TTL_S_DEFAULT;
  const ttl = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (ttl >= 1 && ttl <= TOKEN_TTL_S_MAX) return ttl;
  throw new Refusal(400, `ttl must be a whole number from 1 to ${TOKEN_TTL_S_MAX}.`, { code: 'invalid_ttl' });
}

function rateHeaders(remaining: number): Record<string, string> {
  return { 'x-ratelimit-limit': String(RATE_LIMIT), 'x-ratelimit-remaining': String(remaining) };
}

/** Set before anything else, so that every answer to a run carries them, refusals and damaged ones included. */
function showRate(call: Call, remaining: number): void {
  for (const [name, value] of Object.entries(rateHeaders(remaining))) call.response.setHeader(name, value);
}

function createAccount(clock: Clock) {
  let credits = CREDITS;
  let window = { began: clock.monotonic(), used: 0 };
  return {
    credits: () => credits,
    /** Each successful run costs one credit; the last one stays. */
    charge<Result>(result: Result): Result {
      credits = Math.max(1, credits - 1);
      return result;
    },
    nextRate(): number {
      if (clock.monotonic() - window.began >= RATE_WINDOW_MS) window = { began: clock.monotonic(), used: 0 };
      window.used += 1;
      return Math.max(0, RATE_LIMIT - window.used);
    },
    reset() {
      credits = CREDITS;
      window = { began: clock.monotonic(), used: 0 };
    },
  };
}

/** Tokens for one streamed run each. */
function createTokens({ clock, random }: { clock: Clock; random: Random }) {
  const expiries = new Map<string, number>();
  return {
    issue(ttlS: number): string {
      const token = `pub_tok_${randomHex(random, 16)}`;
      expiries.set(token, clock.monotonic() + ttlS * 1000);
      const oldest = expiries.keys().next().value;
      if (expiries.size > TOKENS_MAX && oldest !== undefined) expiries.delete(oldest);
      return token;
    },
    spend(token: string): boolean {
      const expiry = expiries.get(token);
      expiries.delete(token);
      return expiry !== undefined && clock.monotonic() < expiry;
    },
    reset: () => expiries.clear(),
  };
}
