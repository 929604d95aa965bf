import type { RegisteredWorkflow, Registry, WeightedTarget } from '../../../providers/registry.ts';
import { callerOf, type App } from '../../app.ts';
import { createKindDescriber } from '../../describe-kind.ts';
import { sendJson } from '../../reply.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { credentialState, workflowListSchema } from '../../schemas/catalogue-answer.ts';
import { WORKFLOW_EXAMPLES } from '../../schemas/catalogue-examples.ts';

const operation: Operation = {
  id: 'listWorkflows',
  tag: 'Catalogue',
  summary: 'List workflows',
  description: 'The registered workflows that this key may run, each with what a form can be built from.',
  answers: { 200: { description: 'All of them.', schema: workflowListSchema, examples: WORKFLOW_EXAMPLES } },
  errors: ['vault_unavailable'],
};

/**
 * `GET /workflows`: the registered workflows that this key may run, each with what a form can be built from.
 * The vendor's id is the operator's business, and so is where the provider is.
 */
export function addListWorkflows(app: App, { registry, policy, credentialPresent }: RunsAppParts): void {
  const describe = createKindDescriber();
  /** Whichever target a run goes to. */
  async function allPresent({ targets }: RegisteredWorkflow): Promise<boolean> {
    const names = new Set(targets.filter(getsRuns).map(({ provider }) => provider));
    return (await Promise.all([...names].map(credentialPresent))).every(Boolean);
  }
  async function render(workflow: RegisteredWorkflow, configured: Registry) {
    const provider = configured.provider(workflow.targets.find(getsRuns)?.provider ?? '');
    // The configuration lets no workflow name a provider that is not there.
    if (provider === null) return [];
    const { capabilities, options, resume_options, timeout_s: usual } = describe(provider.kind);
    return [
      {
        name: workflow.name,
        description: workflow.description,
        provider: provider.name,
        capabilities,
        inputs: workflow.inputs,
        options,
        resume_options,
        defaults: workflow.defaults,
        timeout_s: workflow.timeoutS ?? usual,
        credential: credentialState(await allPresent(workflow)),
      },
    ];
  }
  app.get('/workflows', { config: { roles: ['runs', 'viewer', 'admin'], operation } }, async (request, reply) => {
    const caller = callerOf(request);
    const configured = registry();
    const allowed = configured.workflows().filter(({ name }) => policy.allowsWorkflow(caller, name));
    const data = await Promise.all(allowed.map((workflow) => render(workflow, configured)));
    sendJson(reply, 200, JSON.stringify({ data: data.flat() }));
    return reply;
  });
}

function getsRuns({ weight }: WeightedTarget): boolean {
  return weight > 0;
}
