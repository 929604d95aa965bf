import type { TestGateway } from './gateway.ts';

/** Stops a gateway and what it talks to, and throws where it has made a mistake of its own meanwhile. */
export async function stopCleanly(gateway: TestGateway, others: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all([gateway.stop(), ...others.map((one) => one.close())]);
  if (gateway.complaints.length > 0) throw new Error(`the log complains: ${gateway.complaints.join('; ')}`);
}
