import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { faultsFor, type Concern } from '../../../src/sandbox/faults.ts';
import { VENDOR_SANDBOXES } from '../../../src/sandbox/vendors.ts';

export interface FaultOfKind {
  kind: AnyProviderKind;
  /** A special workflow id: one of the table's examples. */
  workflow: string;
}

/** Every example of the sandbox's table at every kind, by what it concerns. */
export function faultsOfKinds(...concerns: readonly Concern[]): FaultOfKind[] {
  return PROVIDER_KINDS.flatMap((kind) => {
    const vendor = VENDOR_SANDBOXES.find((one) => one.kind === kind.kind);
    return faultsFor(vendor?.traits ?? [])
      .filter((fault) => concerns.includes(fault.concerns))
      .flatMap(({ examples }) => examples.map((workflow) => ({ kind, workflow })));
  });
}

/** How a case is called in the list of tests. */
export function nameOf({ kind, workflow }: FaultOfKind): string {
  return `${kind.kind}: ${workflow}`;
}
