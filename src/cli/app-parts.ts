import type { CliParts } from './command-context.ts';

/** The real application. Loaded when a command needs it, so that `--help` and wrong usage answer at once. */
export const appParts: CliParts = {
  openWorkspace: async (options) => (await import('../app/workspace.ts')).openWorkspace(options),
  backUp: async (request) => (await import('../app/backup.ts')).backUp(request),
  restoreBackup: async (request) => (await import('../app/backup.ts')).restoreBackup(request),
  rotateMasterKey: async (request) => (await import('../app/rotate-master-key.ts')).openAndRotateMasterKey(request),
  serve: async (request) => (await import('../app/begin-serve.ts')).beginServe(request),
};
