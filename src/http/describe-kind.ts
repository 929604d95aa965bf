import * as z from 'zod';
import type { AnyProviderKind } from '../providers/define-provider.ts';

const TIMEOUT_DEFAULT_S = 300;

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
