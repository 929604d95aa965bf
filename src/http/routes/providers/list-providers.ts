import * as z from 'zod';
import type { AnyProviderKind } from '../../../providers/define-provider.ts';
import type { Provider } from '../../../providers/registry.ts';
import { callerOf, type App } from '../../app.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';

const TIMEOUT_DEFAULT_S = 300;

type KindDescription = ReturnType<typeof describeKind>;

/** `GET /providers`: what this key may run, and how. Never where a provider is, and never a secret. */
export function addListProviders(app: App, { registry, policy, credentialPresent }: RunsAppParts): void {
  // Schemas are rendered once for each kind; a reload makes new providers, but of the same kinds.
  const described = new WeakMap<AnyProviderKind, KindDescription>();
  function describe(kind: AnyProviderKind): KindDescription {
    const description = described.get(kind) ?? describeKind(kind);
    described.set(kind, description);
    return description;
  }
  async function render({ name, kind }: Provider) {
    const credential = (await credentialPresent(name)) ? 'present' : 'missing';
    return { name, ...describe(kind), credential };
  }
  app.get('/providers', { config: { roles: ['runs', 'viewer', 'admin'] } }, async (request, reply) => {
    const caller = callerOf(request);
    const allowed = registry()
      .providers()
      .filter(({ name }) => policy.allowsProvider(caller, name));
    const data = await Promise.all(allowed.map(render));
    sendJson(reply, 200, JSON.stringify({ data }));
    return reply;
  });
}

function describeKind(kind: AnyProviderKind) {
  return {
    kind: kind.kind,
    title: kind.title,
    docs_url: kind.docsUrl,
    capabilities: {
      start: kind.poll === undefined ? 'blocking' : 'async',
      cancel: kind.cancel !== undefined,
      resume: false,
      pause: false,
      stream: false,
    },
    timeout_s: kind.defaultTimeoutS ?? TIMEOUT_DEFAULT_S,
    workflow_id: jsonSchemaOf(kind.workflowId),
    options: jsonSchemaOf(kind.options),
  };
}

/** What a caller may send; what JSON Schema cannot say is left open rather than refused. */
function jsonSchemaOf(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}
