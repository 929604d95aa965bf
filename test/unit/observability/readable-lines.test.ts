import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/observability/logger.ts';
import { readableLines } from '../../../src/observability/readable-lines.ts';

function setUp({ color = false } = {}) {
  const shown: string[] = [];
  const lines = readableLines({ write: (text) => void shown.push(text) }, { color });
  return { lines, shown, log: createLogger({ level: 'debug', destination: lines }) };
}

describe('readable log lines', () => {
  it('have time, level, message and the fields that have a value', () => {
    const { log, shown } = setUp();
    log.info({ method: 'POST', route: '/runs', status: 200, run_id: null, ms: 12.3 }, 'request answered');
    expect(shown.join('')).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO  request answered method=POST route=\/runs status=200 ms=12\.3\n$/,
    );
  });

  it('show an error with its stack and its causes below', () => {
    const { log, shown } = setUp();
    log.error({ error: new Error('no room', { cause: new TypeError('deep') }), run_id: 'run_1' }, 'failed');
    const [first, ...below] = shown.join('').trimEnd().split('\n');
    expect(first).toContain('ERROR failed error="Error: no room" run_id=run_1');
    expect(below.every((line) => line.startsWith('    '))).toBe(true);
    expect(below).toContain('    caused by TypeError: deep');
  });

  it.each([false, true])('let no value write anything but itself (colours: %s)', (color) => {
    const { log, shown } = setUp({ color });
    const evil = '\u001b]0;owned\u0007\u009b2J\r\n\u202e x';
    log.warn({ text: evil, [`name${evil}`]: 1, list: [evil], err: new Error(evil) }, 'odd');
    // Colours are ours, and stand where there are any.
    const text = color ? stripVTControlCharacters(shown.join('')) : shown.join('');
    expect(text.replaceAll('\n    ', '').trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).toContain('\\u001b]0;owned\\u0007');
  });

  it('have colours only where they are asked for', () => {
    for (const color of [false, true]) {
      const { log, shown } = setUp({ color });
      log.info({ a: 1 }, 'x');
      expect(shown.join('').includes('\u001b[')).toBe(color);
    }
  });

  it('quote what would be taken for several fields', () => {
    const { log, shown } = setUp();
    log.info({ a: 'x status=200', b: '', c: 'say "so"', d: { e: [1] } }, 'x');
    expect(shown.join('')).toContain('a="x status=200" b="" c="say \\"so\\"" d={"e":[1]}');
  });

  it('show what is no JSON as it is', () => {
    const { lines, shown } = setUp();
    lines.write('not \u001b JSON\n');
    expect(shown).toEqual(['not \\u001b JSON\n']);
  });
});
