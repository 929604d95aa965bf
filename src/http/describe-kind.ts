import * as z from 'zod';
import { nothing, RUN_TIMEOUT_DEFAULT_S, type AnyProviderKind } from '../providers/define-provider.ts';

export type KindDescription = ReturnType<typeof describeKind>;

/**
 * Tells callers what a kind can do and what it takes. Its schemas are rendered once: a reload makes new
 * providers, but of the same kinds.
 */
export function createKindDescriber(): (kind: AnyProviderKind) => KindDescription {
  const described = new WeakMap<AnyProviderKind, KindDescription>();
  return (kind) => {
    const description = described.get(kind) ?? describeKind(kind);
    described.set(kind, description);
    return description;
  };
}

function describeKind(kind: AnyProviderKind) {
  return {
    kind: kind.kind,
    title: kind.title,
    docs_url: kind.docsUrl,
    capabilities: {
      start: kind.poll === undefined ? 'blocking' : 'async',
      stream: kind.startStream !== undefined || kind.follow !== undefined,
      cancel: kind.cancel !== undefined,
      pause: kind.pause !== undefined,
      resume: kind.resume !== undefined,
      webhooks: kind.inbound !== undefined,
    },
    timeout_s: kind.defaultTimeoutS ?? RUN_TIMEOUT_DEFAULT_S,
    workflow_id: jsonSchemaOf(kind.workflowId),
    options: jsonSchemaOf(kind.options),
    resume_options: kind.resume === undefined ? null : jsonSchemaOf(kind.resumeOptions ?? nothing),
  };
}

/** What a caller may send; what JSON Schema cannot say is left open rather than refused. */
function jsonSchemaOf(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}
