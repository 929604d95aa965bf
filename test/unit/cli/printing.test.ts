import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../src/cli/duration.ts';
import { printable, printableJson } from '../../../src/cli/printable.ts';
import { details, table } from '../../../src/cli/table.ts';
import { reviveJson } from '../../../src/core/json.ts';

const HOSTILE = 'a\u001b[2Jb\r\nc\u009b31m\u202ed\u2028\u007f\u{e0041}é😀';

const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}]/u;

describe('a table', () => {
  it('is aligned, without white space at the ends of lines', () => {
    expect(
      table(
        ['ID', 'LABEL', 'X'],
        [
          ['1', null, 'y'],
          ['long', '', null],
        ],
      ),
    ).toBe(['ID    LABEL  X', '1     -      y', 'long  -      -'].join('\n'));
  });

  it('keeps what was stored in its cell, and cannot be made to steer the terminal', () => {
    const text = table(['A', 'B'], [[HOSTILE, 'b']]);
    expect(text.split('\n')).toHaveLength(2);
    expect(text.replace('\n', '')).not.toMatch(HARMFUL);
    expect(text).toContain('a\\u001b[2Jb\\u000d\\u000ac\\u009b31m\\u202ed');
  });

  it('of one thing has a name and a value a line', () => {
    expect(
      details([
        ['id', '1'],
        ['status', 'a\nb'],
        ['end', null],
      ]),
    ).toBe('id      1\nstatus  a\\u000ab\nend     -');
  });
});

describe('printable text', () => {
  it('keeps letters of every script', () => {
    expect(printable('Grüße, 世界 😀')).toBe('Grüße, 世界 😀');
  });

  it('as JSON means what it meant', () => {
    const text = printableJson({ HOSTILE });
    expect(text).not.toMatch(HARMFUL);
    expect(reviveJson(text)).toEqual({ HOSTILE });
  });
});

describe('a duration', () => {
  it('is a number and a unit', () => {
    expect(['45m', '12h', '30d'].map(parseDuration)).toEqual([2_700_000, 43_200_000, 2_592_000_000]);
  });

  it.each(['', '30', 'd', '0d', '-1d', '1.5h', '30s', '1w', ' 1d', '1d ', '3651d', '99999999d', '1D'])(
    'is not %j',
    (text) => expect(parseDuration(text)).toBeNull(),
  );
});
