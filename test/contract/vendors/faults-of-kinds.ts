import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { faultsFor, type Concern } from '../../../src/sandbox/faults.ts';
import type { Sandbox } from '../../../src/sandbox/start-sandbox.ts';
import { VENDOR_SANDBOXES } from '../../../src/sandbox/vendors.ts';
import { vendorOf, type TestProvider } from '../../support/gateway.ts';

export interface FaultOfKind {
  kind: AnyProviderKind;
  /** A special workflow id: one of the table's examples. */
  workflow: string;
}

/** A rest that is surely not over when the same request comes again, on a busy machine too; one that no vendor has set is shorter. */
const LONG_REST_S = 20;
/** A start that is answered so rests the credential: further ones are refused without a call. */
const RESTS = /^status-429/;

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

/** Whether the vendor's answer to the start rests the credential that it came with. */
export function rests({ workflow }: FaultOfKind): boolean {
  return RESTS.test(workflow);
}

/** Whether a credential whose vendor has said this of its limit rests longer than these tests wait. */
export function restsLong({ retry_after_s: afterS }: { retry_after_s: number | null }): boolean {
  return afterS !== null && afterS > LONG_REST_S;
}

/** What the case is sent to: the kind's own provider, or one with a credential that the other cases do not need. */
export function providerOf(fault: FaultOfKind): string {
  const { kind, workflow } = fault;
  return rests(fault) ? `${kind.kind}-${workflow}` : kind.kind;
}

/** The providers that the cases need beside the kinds' own. */
export function providersOf(faults: readonly FaultOfKind[], sandbox: Sandbox): Record<string, TestProvider> {
  return Object.fromEntries(
    faults.filter(rests).map((fault) => {
      const { kind } = fault.kind;
      return [providerOf(fault), { kind, baseUrl: vendorOf(sandbox, kind).baseUrl }];
    }),
  );
}
