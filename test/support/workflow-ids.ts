import { VENDOR_SANDBOXES } from '../../src/sandbox/vendors.ts';

/** The id by which a kind's simulated vendor knows the workflow of this name; a sandbox knows short names by it, too. */
export function workflowIdOf(kind: string, name: string): string {
  const vendor = VENDOR_SANDBOXES.find((one) => one.kind === kind);
  return vendor?.createNames?.([]).idOf(name) ?? name;
}
