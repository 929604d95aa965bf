import dns, { type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const BOTH: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

let gateway: TestGateway;
afterEach(async () => {
  vi.restoreAllMocks();
  await gateway.stop();
});

/** Whether somebody listens there. */
async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe('a gateway at `localhost`', () => {
  it('listens at one of its addresses, where every bound holds, also on systems where it has two', async () => {
    const found = dns.lookup as unknown as (...args: unknown[]) => void;
    const lookup = (host: string, options: { all?: boolean }, done: (...args: unknown[]) => void) =>
      host === 'localhost' && options.all ? process.nextTick(done, null, BOTH) : found(host, options, done);
    vi.spyOn(dns, 'lookup').mockImplementation(lookup as unknown as typeof dns.lookup);
    gateway = await startTestGateway({ environment: { RUNGATE_HOST: 'localhost' } });
    const port = Number(new URL(gateway.url()).port);
    expect(await answers('127.0.0.1', port)).toBe(true);
    expect(await answers('::1', port)).toBe(false);
  });
});
