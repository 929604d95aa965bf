import type { KeyManager } from '../access/manage-keys.ts';
import type { Actor, AuditStore } from '../core/audit.ts';
import type { Audited } from '../core/audited.ts';
import type { RunId } from '../core/ids.ts';
import type { RunWithPayloads } from '../runs/model.ts';
import type { RunStore } from '../runs/ports.ts';
import type { Finding } from '../runs/record-resolution.ts';
import type { RunService } from '../runs/run-service.ts';
import type { CredentialManager } from '../vault/manage-credentials.ts';
import type { AppParts } from './app.ts';
import type { MetricsSource } from './routes/metrics/get-metrics.ts';

export interface AdminAppParts extends AppParts {
  /** By which it may be asked on loopback, beside `localhost` and IP addresses; in lower case. */
  hostNames: readonly string[];
  metrics: MetricsSource;
  keys: KeyManager;
  credentials: CredentialManager;
  runs: Pick<RunService, 'list' | 'get' | 'events' | 'cancel'>;
  /** Records what an operator found out about a run, audited ahead. */
  resolveRun: (id: RunId, finding: Finding, actor: Actor) => Promise<RunWithPayloads>;
  audited: Audited;
  auditLog: Pick<AuditStore, 'page' | 'pageBefore'>;
  usage: RunStore['usage'];
  /** Of this program, for its documents. */
  version: string;
}
