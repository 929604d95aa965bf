import type { ErrorBody } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Provider, Registry } from '../providers/registry.ts';
import type { Run } from './model.ts';
import type { RunPatch } from './ports.ts';
import type { StartSlot } from './start-slot.ts';
import type { Choice } from './targets.ts';

/** A start that may leave, with its place taken. */
export interface NextStart {
  is: 'go';
  kind: AnyProviderKind;
  options: JsonObject;
  credential: SealedCredential;
  slot: StartSlot;
  /** What of the row is different there. */
  patch: RunPatch;
  /** The run as it was written while this was decided; null: as before. */
  run: Run | null;
  /** What became of the attempt before; null where it is in the row, or there was none. */
  error: ErrorBody | null;
  /** The attempt before may have begun a run; the vendor documents that this one begins no second. */
  repeats: boolean;
}

/** Takes the place at once: nothing may be awaited between the choice and this. */
export function takeStart(
  { provider, options }: { provider: Pick<Provider, 'kind'>; options: JsonObject },
  choice: Choice & { is: 'go' },
  more: { patch: RunPatch } & Partial<Pick<NextStart, 'run' | 'error' | 'repeats'>>,
): NextStart {
  const { credential } = choice;
  const slot = choice.take();
  return {
    is: 'go',
    kind: provider.kind,
    options,
    credential,
    slot,
    run: null,
    error: null,
    repeats: false,
    ...more,
    patch: { ...more.patch, credentialId: credential.id },
  };
}

/** The provider that the run was written for, if it is still there and still the same. */
export function configuredProvider(registry: Registry, run: Run): Provider | null {
  const provider = registry.provider(run.provider);
  return provider?.kind.kind === run.kind && provider.baseUrl === run.baseUrl ? provider : null;
}
