import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { OutboundAnswer } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { refusedStartError, retryAfter } from '../../../src/runs/answers.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const kind = PROVIDER_KINDS.find((one) => one.kind === 'b3os');
if (!kind) throw new Error('no B3OS');

function answer(given: Partial<OutboundAnswer>): OutboundAnswer {
  return { status: 400, headers: {}, body: { kind: 'empty' }, durationMs: 1, ...given };
}

describe('Retry-After', () => {
  it.each([
    ['7', 7],
    ['0', 0],
    ['1.2', 2],
    ['0.5', 1],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30],
    ['Sunday, 01-Mar-26 12:00:30 GMT', 30],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['Sun Mar  1 12:00:30 2026', 30],
    ['-5', null],
    ['-1.5', null],
    ['1.2.3', null],
    ['soon', null],
    ['', null],
    ['99999999', 86_400],
  ])('%j is %s seconds', (value, seconds) => {
    expect(retryAfter({ headers: { 'retry-after': value } }, NOW)).toBe(seconds);
  });

  it.each(['America/New_York', 'Asia/Tokyo'])('means the same where the clock is that of %s', (TZ) => {
    const script = `
      import { retryAfter } from './src/runs/answers.ts';
      const dates = ['Sun, 01 Mar 2026 12:00:30 GMT', 'Sunday, 01-Mar-26 12:00:30 GMT', 'Sun Mar  1 12:00:30 2026'];
      console.log(JSON.stringify(dates.map((date) => retryAfter({ headers: { 'retry-after': date } }, ${NOW}))));
    `;
    const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { env: { TZ } });
    expect(JSON.parse(printed.toString())).toEqual([30, 30, 30]);
  });

  it.each(['0', '0.2', 'Sun, 01 Mar 2026 11:00:00 GMT'])(
    'is told as what the credential rests at least: %s',
    (value) => {
      const error = refusedStartError(kind, 'b3os', answer({ status: 429, headers: { 'retry-after': value } }), NOW);
      expect(error).toMatchObject({ retry_after_s: 1, message: expect.stringContaining('1 s') });
    },
  );
});

describe('a vendor’s words that are no JSON', () => {
  const told = (type: string, text: string) =>
    refusedStartError(
      kind,
      'b3os',
      answer({ headers: { 'content-type': type }, body: { kind: 'unreadable', fault: 'not_json', text } }),
      NOW,
    ).upstream?.message;

  it('are told where they are plain text, and a page is not', () => {
    expect(told('text/plain; charset=utf-8', ' workflow is archived\n')).toBe('workflow is archived');
    expect(told('text/html', '<h1>Bad Request</h1>')).toBeNull();
    expect(told('text/plain', '<html>')).toBeNull();
    expect(told('application/json', '{"message":')).toBeNull();
  });
});
