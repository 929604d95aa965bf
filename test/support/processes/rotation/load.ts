import { setTimeout as pauseMs } from 'node:timers/promises';
import type { GatewayProcess } from '../gateway-process.ts';
import { createHttpClient, type HttpClient, type Sent } from '../http-client.ts';
import { makeSecret, SECRETS_PER_PROVIDER, type KnownSecrets } from './secrets.ts';

const CLIENTS = 8;
/** A line of keys takes no more while those before are valid. */
const WEBHOOK_SECRETS_PER_KEY = 7;
const WEBHOOK_KEYS = 30;
const WEBHOOK_EVERY_MS = 100;
const ADD_EVERY_MS = 50;
const FAULTS_KEPT_MAX = 100;

/** What was asked for, and what of it failed. */
export interface Load {
  runs: number;
  /** Credentials added with the command line, beside the gateway. */
  added: number;
  /** Webhook secrets that the gateway itself has made and sealed. */
  webhookSecrets: number;
  faults: string[];
}

export interface RunningLoad {
  done: Load;
  /** Resolves when everything that was asked for is answered. */
  stop(): Promise<void>;
}

export interface LoadTargets {
  gateway: GatewayProcess;
  known: KnownSecrets;
  /** Providers that runs are begun at. */
  providers: readonly string[];
  /** Providers that credentials are added to. */
  growing: readonly string[];
}

/** Begins runs, adds credentials and changes webhook secrets without a break until it is stopped. */
export async function startLoad({ gateway, known, providers, growing }: LoadTargets): Promise<RunningLoad> {
  const done: Load = { runs: 0, added: 0, webhookSecrets: 0, faults: [] };
  const stopping = new AbortController();
  const client = createHttpClient({ url: gateway.url, key: gateway.key, connections: CLIENTS });
  const keys: string[] = [];
  for (let i = 0; i < WEBHOOK_KEYS; i++) keys.push(await gateway.createKey(`webhooks-${i}`));
  const complain = (fault: string) => {
    if (done.faults.length < FAULTS_KEPT_MAX) done.faults.push(fault);
  };

  async function beginRuns(first: number): Promise<void> {
    for (let i = first; !stopping.signal.aborted; i += CLIENTS) {
      const fault = await runOnce(client, providers[i % providers.length] ?? '');
      done.runs += 1;
      if (fault !== null) complain(fault);
    }
  }
  async function addCredentials(): Promise<void> {
    for (let i = 0; i < growing.length * SECRETS_PER_PROVIDER && !stopping.signal.aborted; i++) {
      const provider = growing[i % growing.length] ?? '';
      const stdin = makeSecret(known, provider);
      const { exitCode, stderr } = await gateway.commandLine.run(['credentials', 'add', provider, '--stdin'], {
        stdin,
      });
      if (exitCode === 0) done.added += 1;
      else complain(`credentials add: ${stderr}`);
      await pauseMs(ADD_EVERY_MS);
    }
  }
  async function changeWebhookSecrets(): Promise<void> {
    for (let i = 0; i < WEBHOOK_KEYS * WEBHOOK_SECRETS_PER_KEY && !stopping.signal.aborted; i++) {
      using own = createHttpClient({ url: gateway.url, key: keys[i % WEBHOOK_KEYS] ?? '', connections: 1 });
      const sent = await own.send({ method: 'POST', path: '/me/webhook-secret', body: {} });
      if (sent.is === 'answered' && sent.answer.status === 200) done.webhookSecrets += 1;
      else complain(`webhook secret: ${describe(sent)}`);
      await pauseMs(WEBHOOK_EVERY_MS);
    }
  }

  const working = Promise.all([
    ...Array.from({ length: CLIENTS }, (_, i) => beginRuns(i)),
    addCredentials(),
    changeWebhookSecrets(),
  ]);
  return {
    done,
    async stop() {
      stopping.abort();
      await working;
      client[Symbol.dispose]();
    },
  };
}

/** Begins a run and waits for its end. Null where it has succeeded. */
export async function runOnce(client: HttpClient, provider: string): Promise<string | null> {
  const sent = await client.send({ method: 'POST', path: '/runs', body: { provider, workflow: 'wf_one', inputs: {} } });
  const isGood = sent.is === 'answered' && sent.answer.status === 200 && sent.answer.body.status === 'succeeded';
  return isGood ? null : `${provider}: ${describe(sent)}`;
}

function describe(sent: Sent): string {
  if (sent.is !== 'answered') return `the connection was ${sent.is}`;
  return `${sent.answer.status} ${JSON.stringify(sent.answer.body).slice(0, 300)}`;
}
