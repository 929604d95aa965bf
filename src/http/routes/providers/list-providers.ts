import type { Provider, StartLimits } from '../../../providers/registry.ts';
import { callerOf, type App } from '../../app.ts';
import { createKindDescriber } from '../../describe-kind.ts';
import { sendJson } from '../../reply.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { credentialState, providerListSchema } from '../../schemas/catalogue-answer.ts';
import { PROVIDER_EXAMPLES } from '../../schemas/catalogue-examples.ts';

const operation: Operation = {
  id: 'listProviders',
  tag: 'Catalogue',
  summary: 'List providers',
  description:
    'The configured vendors that this key may use: what each can do and takes, and whether it works just now. Never where one is, and never a secret.',
  answers: { 200: { description: 'All of them.', schema: providerListSchema, examples: PROVIDER_EXAMPLES } },
  errors: ['vault_unavailable'],
};

/** `GET /providers`: what this key may run, how, and whether it works just now. Never where a provider is, and never a secret. */
export function addListProviders(app: App, { registry, policy, credentialPresent, breakerOf }: RunsAppParts): void {
  const describe = createKindDescriber();
  async function render({ name, kind, limits }: Provider) {
    const credential = credentialState(await credentialPresent(name));
    const bounds = { ...renderLimits(limits), per_credential: renderLimits(limits.perCredential) };
    return { name, ...describe(kind), credential, breaker: breakerOf(name), limits: bounds };
  }
  app.get('/providers', { config: { roles: ['runs', 'viewer', 'admin'], operation } }, async (request, reply) => {
    const caller = callerOf(request);
    const allowed = registry()
      .providers()
      .filter(({ name }) => policy.allowsProvider(caller, name));
    const data = await Promise.all(allowed.map(render));
    sendJson(reply, 200, JSON.stringify({ data }));
    return reply;
  });
}

function renderLimits({ concurrency, requestsPerMinute }: StartLimits) {
  return { concurrency, requests_per_minute: requestsPerMinute };
}
