import { execFileSync } from 'node:child_process';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { readDocument } from '../support/documents.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAAAAA=';
const BODY = '{"type":"run.succeeded","data":{"text":"żółć 😀"}}';

const { text } = readDocument('docs/webhooks.md');

/** The only block of code in this language. */
function block(language: string): string {
  const [found = '', ...more] = Array.from(
    text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs')),
    ([, code]) => code,
  );
  if (found === '' || more.length > 0) throw new Error(`expected one block of ${language}`);
  return found;
}

/** A message that another secret has signed too, as during a rotation. */
function message(at = new Date()): Record<string, string> {
  const other = new Webhook('whsec_b3RoZXIgc2VjcmV0IG9mIHRoZSBrZXk=').sign('dlv_1', at, BODY);
  return {
    'webhook-id': 'dlv_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': `${other} ${new Webhook(SECRET).sign('dlv_1', at, BODY)}`,
  };
}

const stale = message(new Date(Date.now() - 600_000));
const cases: [string, Record<string, string>, string, boolean][] = [
  ['a right message', message(), BODY, true],
  ['a tampered message', message(), BODY.replace('succeeded', 'failed'), false],
  ['an old message', stale, BODY, false],
  [
    'an old message with a new time',
    { ...stale, 'webhook-timestamp': message()['webhook-timestamp'] ?? '' },
    BODY,
    false,
  ],
  ['a message under another id', { ...message(), 'webhook-id': 'dlv_2' }, BODY, false],
];

describe('what docs/webhooks.md verifies with', () => {
  it.each(cases)('in Node tells %s', async (_, headers, body, right) => {
    const code = (await import(`data:text/javascript,${encodeURIComponent(block('js'))}`)) as {
      verify(headers: Record<string, string>, body: string, secret: string): boolean;
    };
    expect(code.verify(headers, body, SECRET)).toBe(right);
  });

  it.each(cases)('in Python tells %s', (_, headers, body, right) => {
    const call =
      'import json, sys\na = json.load(sys.stdin)\nprint(verify(a["headers"], a["body"].encode(), a["secret"]))';
    const input = JSON.stringify({ headers, body, secret: SECRET });
    const output = execFileSync('python3', ['-c', `${block('python')}\n${call}`], { input, encoding: 'utf8' });
    expect(output.trim()).toBe(right ? 'True' : 'False');
  });
});
