import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Environment } from '../config/environment.ts';
import type { BackUp, RestoreBackup } from '../app/backup.ts';
import type { RotateMasterKey } from '../app/rotate-master-key.ts';
import type { BeginServe } from '../app/begin-serve.ts';
import type { OpenWorkspace, Workspace } from '../app/workspace.ts';

export interface TextSink {
  write(text: string): unknown;
}

/** Where a command reads a secret from. */
export type SecretSource = AsyncIterable<Uint8Array | string> & { isTTY?: boolean };

/** The parts of the application that commands stand on. */
export interface CliParts {
  openWorkspace: OpenWorkspace;
  /** Resolves once the gateway has stopped as it was told to. */
  serve: BeginServe;
  backUp: BackUp;
  restoreBackup: RestoreBackup;
  rotateMasterKey: RotateMasterKey;
}

/** Everything that a command may touch. */
export interface CommandContext {
  environment: Environment;
  stdin: SecretSource;
  stdout: TextSink;
  stderr: TextSink;
  clock: Clock;
  random: Random;
  parts: CliParts;
}

/** Opens the workspace for one piece of work and closes it whatever happens. `mayMakeDatabase`: as of `WorkspaceOptions`. */
export async function withWorkspace<T>(
  { parts, environment, stderr }: CommandContext,
  { sandbox = false, mayMakeDatabase = false }: { sandbox?: boolean; mayMakeDatabase?: boolean },
  work: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = await parts.openWorkspace({ environment, sandbox, logTo: stderr, mayMakeDatabase });
  try {
    return await work(workspace);
  } finally {
    await workspace.close();
  }
}
