import type { OpenCalls } from '../access/open-calls.ts';
import type { ServesOrigin } from '../access/origins.ts';
import type { TokenIssuer } from '../access/tokens.ts';
import type { Audited } from '../core/audited.ts';
import type { Caller } from '../core/caller.ts';
import type { Secret } from '../core/secret.ts';
import type { Registry } from '../providers/registry.ts';
import type { BreakerState } from '../runs/breakers.ts';
import type { UsedByCaller } from '../runs/caller-limits.ts';
import type { InboundWebhooks } from '../runs/inbound.ts';
import type { RunService } from '../runs/run-service.ts';
import type { AppParts } from './app.ts';
import type { LoadShedder } from './plugins/load-shedder.ts';

/** What access decides beyond a route's roles. */
export interface AccessPolicy {
  /** Throws `forbidden` where the caller may not start this. */
  mayStart(caller: Caller, target: { workflow: string; provider?: string }): void;
  /** Whether the caller sees every key's runs, and so whose each one is. */
  seesEveryone(caller: Caller): boolean;
  /** Whether a provider, or one of its workflows, is the caller's to use. */
  allowsProvider(caller: Caller, provider: string): boolean;
  /** Whether a registered workflow is the caller's to run. */
  allowsWorkflow(caller: Caller, workflow: string): boolean;
}

/** What webhooks need, in both directions. */
export interface WebhookParts extends InboundWebhooks {
  /** Why nothing may be sent to this URL; null: nothing speaks against it. */
  checkTarget: (url: string) => string | null;
  /** Throws `rate_limited` where a line of keys has too many signing secrets for one more. */
  checkSecretRoom: (lineage: string) => Promise<void>;
  /** A new signing secret for a line of keys, and until when (milliseconds since 1970) the one before signs too. */
  rotateSecret: (lineage: string) => Promise<{ secret: Secret; previousExpiresAt: number | null }>;
}

export interface RunsAppParts extends AppParts {
  runs: RunService;
  openCalls: Pick<OpenCalls, 'hold'>;
  /** Whose pages may read answers. */
  servesOrigin: ServesOrigin;
  /** Refuses new runs while there is more work than fits. */
  shedder: LoadShedder;
  webhooks: WebhookParts;
  audited: Audited;
  /** Makes browser tokens. */
  tokens: TokenIssuer;
  /** What a caller's line of keys, and its token, have used up. */
  usedBy: (caller: Caller) => Promise<UsedByCaller>;
  registry: () => Registry;
  policy: AccessPolicy;
  credentialPresent: (provider: string) => Promise<boolean>;
  /** Of a provider's credentials the worst. */
  breakerOf: (provider: string) => BreakerState;
  /** Of this program, for its documents. */
  version: string;
}
