import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import type { ProviderSetting } from '../providers/registry.ts';
import { startSandbox, type Sandbox } from '../sandbox/start-sandbox.ts';
import type { Vault } from '../vault/credentials.ts';

/** The simulated vendors of `serve --sandbox`, as the rest of the gateway needs to know them. */
export interface OwnSandbox extends Sandbox {
  /** Settings that point the built-in providers at the sandbox. */
  providers: Readonly<Record<string, ProviderSetting>>;
  /** The only loopback addresses that the connect-time guard lets through. */
  addresses: ReadonlySet<string>;
}

const LABEL = 'sandbox';

/** Starts the simulated vendors and puts the credentials that they accept into the sandbox's own vault. */
export async function startOwnSandbox({
  clock,
  random,
  vault,
}: {
  clock: Clock;
  random: Random;
  vault: Vault;
}): Promise<OwnSandbox> {
  const sandbox = await startSandbox({ clock, random, host: '127.0.0.1' });
  const vendors = Object.values(sandbox.vendors);
  for (const { kind, key } of vendors) {
    const known = await vault.list(kind);
    if (known.length === 0) await vault.add({ provider: kind, label: LABEL, purpose: 'api', secret: new Secret(key) });
  }
  return {
    ...sandbox,
    providers: Object.fromEntries(vendors.map(({ kind, baseUrl }) => [kind, { baseUrl }])),
    addresses: new Set(vendors.map(({ origin }) => new URL(origin).host)),
  };
}
