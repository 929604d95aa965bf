import { join } from 'node:path';
import { Pool } from 'undici';
import { reviveJson } from '../../src/core/json.ts';
import { startUsualGateway } from './bench-gateway.ts';
import { cpuMicroseconds, start, type Running } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONNECTIONS = 64;
const INPUTS = { story: 'A gateway that never loses a run', tone: 'dry' };

/** A process that answers one kind of request. */
export interface Target extends Running {
  url: string;
  path: string;
  authorization: string;
  body: string;
}

/** `@fastify/http-proxy` in front of the vendor. */
export async function startProxy(vendorUrl: string): Promise<Target> {
  const running = await start([join(ROOT, 'bench/support/bare-proxy.ts'), vendorUrl], {}, (line) =>
    line.includes('port'),
  );
  const { port } = reviveJson<{ port: number }>(running.lines[0] ?? '');
  return {
    ...running,
    url: `http://127.0.0.1:${port}`,
    path: '/api/v1/run/wf_abc123',
    authorization: 'Bearer sk_bench',
    body: JSON.stringify(INPUTS),
  };
}

/** The gateway of this or another checkout, over a database of its own. */
export async function startGateway(vendorUrl: string, root?: string): Promise<Target & { readyMs: number }> {
  const running = await startUsualGateway('ai-tutor', vendorUrl, { root });
  const body = JSON.stringify({ provider: 'ai-tutor', workflow: 'wf_abc123', inputs: INPUTS });
  return { ...running, path: '/runs', body };
}

/** Sends `count` requests over 64 connections; CPU microseconds that the target used for each. */
export async function load({ url, pid, path, authorization, body }: Target, count: number): Promise<number> {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const headers = { authorization, 'content-type': 'application/json' };
  let left = count;
  const before = cpuMicroseconds(pid);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) {
        const answer = await pool.request({ path, method: 'POST', headers, body });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
      }
    }),
  );
  const used = (cpuMicroseconds(pid) - before) / count;
  await pool.close();
  return used;
}
