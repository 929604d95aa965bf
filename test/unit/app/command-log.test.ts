import { describe, expect, it } from 'vitest';
import { commandLog } from '../../../src/app/command-log.ts';
import type { Settings } from '../../../src/config/load-settings.ts';

function linesAt(logLevel: Settings['logLevel']): string[] {
  const lines: string[] = [];
  const log = commandLog({ logLevel, warnings: [] }, { write: (text) => lines.push(text) });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]({}, level);
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

describe('a command’s log', () => {
  it.each([
    ['silent', []],
    ['error', ['error']],
    ['warn', ['warn', 'error']],
    ['info', ['warn', 'error']],
    ['debug', ['debug', 'info', 'warn', 'error']],
  ] as const)('has at %s what is the matter, and the rest only where it was asked for', (level, lines) => {
    expect(linesAt(level)).toEqual(lines);
  });
});
