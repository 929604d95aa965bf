import type { ErrorCode } from '../core/error-catalogue.ts';
import type { Registry } from '../providers/registry.ts';
import type { Fallback, Run } from './model.ts';
import { resolveFallback, type ResolvedTarget } from './resolve-run.ts';
import type { BegunRun, Choice, OpenTarget, Targets } from './targets.ts';

/** What a run looks for a fallback with. */
export interface FallbackSearch {
  from: Pick<Run, 'fallbacks' | 'kind' | 'options'>;
  errors: readonly ErrorCode[];
  /** The run, where it is written: the room that it takes up is its own. */
  begun?: BegunRun;
}

export interface FoundFallback {
  target: ResolvedTarget;
  opened: OpenTarget;
  choice: Choice & { is: 'go' };
  /** What is left to fall back to from there. */
  rest: readonly Fallback[];
}

/**
 * Takes the first fallback that is meant for one of these errors and has room now; each that refuses adds its own error.
 * `take` is called in the turn of the choice, so that of many who look for room at once each finds what the others have
 * left; whoever answers a choice by a promise lets the others choose the same room. Null: there is no room anywhere.
 */
export async function takeFallback<Taken>(
  { targets, registry }: { targets: Targets; registry: () => Registry },
  { from, errors, begun }: FallbackSearch,
  take: (found: FoundFallback) => Taken | Promise<Taken>,
): Promise<Taken | null> {
  const codes = new Set(errors);
  for (const [i, fallback] of from.fallbacks.entries()) {
    if (!fallback.when.some((code) => codes.has(code))) continue;
    const target = resolveFallback(registry(), from, fallback);
    if (!target) continue;
    const opened = await targets.open(target.provider, begun);
    const choice = opened.choose();
    if (choice.is === 'go') return take({ target, opened, choice, rest: from.fallbacks.slice(i + 1) });
    if (choice.is === 'refused') codes.add(choice.error.code);
  }
  return null;
}
