import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createLogger, type LogLevel } from '../../../src/observability/logger.ts';

function setUp(level: LogLevel = 'debug') {
  const lines: string[] = [];
  const log = createLogger({ level, destination: { write: (line) => void lines.push(line) } });
  return { log, lines, entries: () => lines.map((line) => reviveJson<Record<string, unknown>>(line)) };
}

describe('the log', () => {
  it('writes one JSON object a line, with level, time, fields and message', () => {
    const { log, lines, entries } = setUp();
    log.debug({}, 'a');
    log.info({ run_id: 'run_1', duration_ms: 3 }, 'b');
    log.warn({ text: 'two\nlines' }, 'c');
    log.error({}, 'd');
    expect(lines.every((line) => line.endsWith('}\n') && line.indexOf('\n') === line.length - 1)).toBe(true);
    expect(entries().map(({ level, msg }) => [level, msg])).toEqual([
      ['debug', 'a'],
      ['info', 'b'],
      ['warn', 'c'],
      ['error', 'd'],
    ]);
    expect(entries()[1]).toMatchObject({ run_id: 'run_1', duration_ms: 3 });
    expect(entries()[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('leaves out what is below its level', () => {
    const { log, entries } = setUp('warn');
    log.info({}, 'quiet');
    log.warn({}, 'loud');
    expect(entries().map(({ msg }) => msg)).toEqual(['loud']);
  });

  it('keeps secrets closed, however deep they lie', () => {
    const { log, lines } = setUp();
    log.info({ secret: new Secret('a-marker'), deep: { list: [new Secret('a-marker')] } }, 'x');
    expect(lines.join('')).not.toContain('a-marker');
    expect(lines.join('')).toContain('[secret]');
  });

  it('reduces an error to name, message, code, stack and causes', () => {
    const { log, entries } = setUp();
    const cause = Object.assign(new Error('disk full', { cause: new TypeError('deep') }), {
      code: 'ENOSPC',
      headers: { authorization: 'a-marker' },
    });
    log.error({ error: new GatewayError('store_unavailable', { cause }), err: new Error('e') }, 'failed');
    const [entry] = entries();
    expect(entry).toMatchObject({
      error: {
        name: 'GatewayError',
        code: 'store_unavailable',
        cause: { name: 'Error', message: 'disk full', code: 'ENOSPC', cause: { name: 'TypeError', code: null } },
      },
      err: { name: 'Error', message: 'e' },
    });
    expect(JSON.stringify(entry)).not.toContain('a-marker');
  });

  it('survives what cannot be written as JSON', () => {
    const { log, entries } = setUp();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const error = new Error('round');
    error.cause = error;
    log.info({ circle, error, big: 1n, nothing: undefined }, 'odd');
    log.error({ error: Object.assign(new Error('x'), { name: 7, stack: undefined }) }, 'odder');
    expect(entries()).toHaveLength(2);
  });
});
