import type { ErrorCode } from '../core/error-catalogue.ts';
import type { Registry } from '../providers/registry.ts';
import type { Fallback, Run } from './model.ts';
import { resolveFallback, type ResolvedTarget } from './resolve-run.ts';
import type { BegunRun, OpenTarget, Targets } from './targets.ts';

export interface FoundFallback {
  target: ResolvedTarget;
  /** To be chosen from again, and taken at once: since it was found, others may have been faster. */
  opened: OpenTarget;
  /** What is left to fall back to from there. */
  rest: readonly Fallback[];
}

/** The first fallback that is meant for one of these errors and has room now; each that refuses adds its own error. */
export async function findFallback(
  { targets, registry }: { targets: Targets; registry: () => Registry },
  from: Pick<Run, 'fallbacks' | 'kind' | 'options'>,
  errors: readonly ErrorCode[],
  /** The run, where it is written: the room that it takes up is its own. */
  begun?: BegunRun,
): Promise<FoundFallback | null> {
  const codes = new Set(errors);
  for (const [i, fallback] of from.fallbacks.entries()) {
    if (!fallback.when.some((code) => codes.has(code))) continue;
    const target = resolveFallback(registry(), from, fallback);
    if (!target) continue;
    const opened = await targets.open(target.provider, begun);
    const choice = opened.choose();
    if (choice.is === 'go') return { target, opened, rest: from.fallbacks.slice(i + 1) };
    if (choice.is === 'refused') codes.add(choice.error.code);
  }
  return null;
}
