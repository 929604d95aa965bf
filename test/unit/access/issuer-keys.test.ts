import { jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createIssuerKeys, type FindIssuerKey } from '../../../src/access/issuer-keys.ts';
import type { DocumentReader, OutboundAnswer } from '../../../src/core/outbound.ts';
import { testClock } from '../../support/access-parts.ts';
import { startOidcIssuer, type IssuerKey, type OidcIssuer } from '../../support/oidc-issuer.ts';

const FRESH_MS = 600_000;
const LOOK_AGAIN_MS = 10_000;
const AWAY_MS = 30_000;

/** Makes keys and signs; what the look-up is told comes from the test. */
let issuer: OidcIssuer;
let first: IssuerKey;
let second: IssuerKey;
beforeAll(async () => {
  issuer = await startOidcIssuer({ keyId: 'none' });
  [first, second] = [await issuer.newKey('1'), await issuer.newKey('2')];
});
afterAll(() => issuer[Symbol.asyncDispose]());

/** Fetches that wait for the test's answer, oldest first. */
let asked: { answer: (keys: readonly IssuerKey[]) => void; fail: () => void }[];
let clock: ReturnType<typeof testClock>;
let findKey: FindIssuerKey;
beforeEach(() => {
  asked = [];
  clock = testClock();
  const documents: DocumentReader = {
    get: () =>
      new Promise((resolve, reject) => {
        asked.push({
          answer: (keys) => resolve(answerOf({ keys: keys.map(({ publicJwk }) => publicJwk) })),
          fail: () => reject(new Error('away')),
        });
      }),
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const settings = issuer.settings({ jwksUri: 'https://id.example.com/keys' });
  findKey = createIssuerKeys(settings, { documents, clock, log, signal: new AbortController().signal });
});

function answerOf(value: object): OutboundAnswer {
  return { status: 200, headers: {}, durationMs: 1, body: { kind: 'json', value } } as never;
}

/** Whether a JWT that this key has just signed is taken. */
async function takes(key: IssuerKey): Promise<boolean> {
  const jwt = await issuer.sign({ key });
  return jwtVerify(jwt, findKey).then(
    () => true,
    () => false,
  );
}

async function nextFetch(count: number): Promise<(typeof asked)[number]> {
  await expect.poll(() => asked.length).toBe(count);
  return asked[count - 1] as (typeof asked)[number];
}

async function learn(): Promise<void> {
  const taken = takes(first);
  (await nextFetch(1)).answer([first]);
  expect(await taken).toBe(true);
}

describe('an issuer’s keys that are ten minutes old', () => {
  it('are fetched before the next JWT is judged, once for all who come meanwhile', async () => {
    await learn();
    clock.pass(FRESH_MS + 1);
    const judged = Promise.all([takes(first), takes(first), takes(second)]);
    (await nextFetch(2)).answer([second]);
    expect(await judged).toEqual([false, false, true]);
    expect(asked).toHaveLength(2);
  });

  it('judge where the fetch fails, and nobody waits for the next ones while they fail too', async () => {
    await learn();
    clock.pass(FRESH_MS + 1);
    const waiting = takes(first);
    const slow = await nextFetch(2);
    // A fetch may take its time; what follows counts from its end.
    clock.pass(LOOK_AGAIN_MS);
    slow.fail();
    expect(await waiting).toBe(true);
    for (let count = 3; count < 8; count++) {
      expect([await takes(first), asked.length]).toEqual([true, count - 1]);
      clock.pass(LOOK_AGAIN_MS);
      expect(await takes(first)).toBe(true);
      const beside = await nextFetch(count);
      clock.pass(LOOK_AGAIN_MS);
      beside.fail();
      await new Promise(setImmediate);
    }
  });

  it('are waited for again half a minute after the last fetch failed', async () => {
    await learn();
    clock.pass(FRESH_MS + 1);
    const waiting = takes(first);
    (await nextFetch(2)).fail();
    expect(await waiting).toBe(true);
    clock.pass(AWAY_MS);
    const judged = takes(first);
    (await nextFetch(3)).answer([second]);
    expect(await judged).toBe(false);
  });
});
