import { describe, expect, it } from 'vitest';
import { echo, httpServer, jsonOf, testUpstream } from './support.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';

async function sentWith(traceparent: string, tracestate: string | null) {
  const server = await httpServer(
    echo(({ headers }) => ({ parent: headers.traceparent ?? null, state: headers.tracestate ?? null })),
  );
  const answer = await testUpstream().call(server.origin, { trace: { traceparent, tracestate } });
  return jsonOf(answer) as { parent: string | null; state: string | null };
}

describe('the trace context', () => {
  it('goes on with a parent id of its own for each call', async () => {
    const first = await sentWith(`00-${traceId}-${parent}-01`, 'vendor=1,other=2');
    const second = await sentWith(`00-${traceId}-${parent}-00`, null);

    expect(first.parent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(second.parent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(new Set([parent, first.parent?.slice(36, 52), second.parent?.slice(36, 52)]).size).toBe(3);
    expect([first.state, second.state]).toEqual(['vendor=1,other=2', null]);
  });

  it.each([
    '',
    'x',
    `01-${traceId}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${traceId}-${parent}-01\r\nx: y`,
  ])('is left out where it cannot be read: %j', async (traceparent) => {
    expect(await sentWith(traceparent, 'a=1')).toEqual({ parent: null, state: null });
  });

  it('leaves out a state that is too long or cannot be written', async () => {
    const traceparent = `00-${traceId}-${parent}-01`;
    for (const state of ['a'.repeat(513), 'a=1\r\nx-evil: 1']) {
      expect(await sentWith(traceparent, state)).toMatchObject({ state: null });
    }
  });

  it('sends none where there is none', async () => {
    const server = await httpServer(echo(({ headers }) => ({ names: Object.keys(headers) })));
    const answer = await testUpstream().call(server.origin);
    expect(jsonOf(answer)).not.toContain('traceparent');
  });
});
