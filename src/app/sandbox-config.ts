import type { Config } from '../config/parse-config.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import type { ProviderSetting, WorkflowTarget } from '../providers/registry.ts';

export const LEFT_OUT = 'workflows left out: the sandbox plays each kind under its own name, and no other provider';

/** The sandbox plays every kind, under its own name. */
export const PLAYED: Readonly<Record<string, ProviderSetting>> = Object.fromEntries(
  PROVIDER_KINDS.map(({ kind }) => [kind, {}]),
);

/**
 * What the sandbox uses of a configuration: the workflows of providers that it plays, and who may call. Nothing but the
 * sandbox is called there, and configured providers would reach real vendors. `leftOut`: names of the other workflows.
 */
export function sandboxConfig(
  { workflows, access }: Config,
  played: Readonly<Record<string, ProviderSetting>>,
): { config: Config; leftOut: string[] } {
  const isPlayed = ({ provider }: WorkflowTarget) => Object.hasOwn(played, provider);
  const fits = workflows.filter(({ targets }) => targets.every(isPlayed));
  return {
    config: {
      providers: played,
      workflows: fits.map((workflow) => ({ ...workflow, fallbacks: workflow.fallbacks.filter(isPlayed) })),
      access,
    },
    leftOut: workflows.filter((workflow) => !fits.includes(workflow)).map(({ name }) => name),
  };
}
