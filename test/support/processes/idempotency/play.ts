import type { Check } from '../checks.ts';
import { createGatewayProcess } from '../gateway-process.ts';
import { createHttpClient } from '../http-client.ts';
import { startSandboxProcess } from '../sandbox-process.ts';
import { playOtherBodies, playRefusal, playRound, type RoundParts } from './rounds.ts';

/** Long enough for all copies to come meanwhile, where the machine is not very busy. */
const SLOW_MS = 1_000;

/** Plays `rounds` over the vendors in turn, then what else a key must withstand at each vendor. */
export async function playIdempotency({ rounds, copies }: { rounds: number; copies: number }): Promise<Check[]> {
  await using sandbox = await startSandboxProcess();
  await using gateway = await createGatewayProcess(sandbox);
  await gateway.start();
  using client = createHttpClient({ url: gateway.url, key: gateway.key, connections: copies });
  const parts: RoundParts = { client, sandbox, copies };
  const kinds = Object.keys(sandbox.vendors);
  const checks: Check[] = [];
  for (let number = 0; number < rounds; number++) {
    const kind = kinds[number % kinds.length] ?? '';
    checks.push(await playRound(parts, { number: number + 1, kind }));
  }
  for (const kind of kinds) {
    for (const slowMs of [0, SLOW_MS]) checks.push(await playRefusal(parts, { kind, slowMs }));
    checks.push(await playOtherBodies(parts, kind));
  }
  return [...checks, { name: 'no process complained', detail: '', faults: gateway.complaints() }];
}
