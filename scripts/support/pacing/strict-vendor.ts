import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One start that reached the vendor. */
export interface VendorStart {
  workflow: string;
  /** Wall clock, milliseconds. */
  at: number;
  refused: boolean;
}

/** Draft & Goal with a limit that it keeps: more starts in any window than it allows are answered with 429. */
export interface StrictVendor extends AsyncDisposable {
  /** What a provider's `base_url` must be. */
  url: string;
  /** Oldest first. */
  starts: readonly VendorStart[];
}

export interface StrictVendorLimits {
  startsMax: number;
  windowMs: number;
  /** How long a run takes. */
  runMs: number;
}

const START = /^\/v1\/workflows\/([^/]+)\/run$/;
const READ = /^\/v1\/workflow-runs\/([^/?]+)/;
const RUNNING = { message: 'Workflow Run generation on the way. Please wait a few minutes.' };

/** Listens on loopback. */
export async function startStrictVendor({ startsMax, windowMs, runMs }: StrictVendorLimits): Promise<StrictVendor> {
  const starts: VendorStart[] = [];
  const runs = new Map<string, number>();

  function begin(response: ServerResponse, workflow: string): void {
    const at = Date.now();
    // Refused ones count too: who does not keep away is refused for longer.
    const recent = starts.filter((start) => start.at > at - windowMs).length;
    const refused = recent >= startsMax;
    starts.push({ workflow, at, refused });
    if (refused) return answer(response, 429, { type: 'error', error: { message: 'Too many requests' } });
    const id = `00000000-0000-4000-8000-${String(runs.size + 1).padStart(12, '0')}`;
    runs.set(id, at + runMs);
    answer(response, 200, { success: true, data: { id, message: 'Workflow is running in the background.' } });
  }

  function read(response: ServerResponse, id: string): void {
    const endsAt = runs.get(id);
    if (endsAt === undefined) return answer(response, 404, { type: 'error', error: { message: 'Run deleted' } });
    if (Date.now() < endsAt) return answer(response, 250, RUNNING);
    const data = { run_id: id, state: 'DONE', error: null, completed_steps: [], failed_steps: [] };
    answer(response, 200, { success: true, data });
  }

  const server = createServer((request, response) => {
    const path = request.url ?? '';
    request.resume().once('end', () => {
      const workflow = START.exec(path)?.[1];
      const id = READ.exec(path)?.[1];
      if (workflow !== undefined && request.method === 'POST') begin(response, decodeURIComponent(workflow));
      else if (id !== undefined) read(response, id);
      else answer(response, 404, { type: 'error', error: { message: 'There is nothing at this path.' } });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    starts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
