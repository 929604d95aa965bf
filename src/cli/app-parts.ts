import type { CliParts } from './command-context.ts';

/** The real application. Loaded when a command needs it, so that `--help` and wrong usage answer at once. */
export const appParts: CliParts = {
  openWorkspace: async (options) => (await import('../app/workspace.ts')).openWorkspace(options),
  serve: async (request) => (await import('../app/serve.ts')).serve(request),
};
