import type { FastifySchemaCompiler } from 'fastify';
import type * as z from 'zod';
import { GatewayError, wrongParam } from '../../core/errors.ts';
import { inPlainWords } from '../../core/in-plain-words.ts';
import { noParameters } from './refuse-parameters.ts';

const PARAM_LENGTH_MAX = 200;

/** Checks a part of a request with its zod schema; the first fault becomes the contract's error. */
export const zodValidator: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data) => {
    // Nearly every request to such a route has none, and a schema takes a microsecond to find that out.
    if (schema === noParameters && isEmpty(data)) return { value: data };
    // Literal `null` was refused when the body was read, so this one means that there is none.
    if (httpPart === 'body' && data === null && !schema.safeParse(undefined).success) {
      return { error: new GatewayError('invalid_json', { message: 'The request has no body.' }) };
    }
    const result = schema.safeParse(data ?? undefined);
    return result.success
      ? { value: result.data }
      : { error: requestFault(result.error, httpPart === 'querystring' ? parameterName : fieldName) };
  };
};

function isEmpty(data: unknown): boolean {
  for (const _ in data as object) return false;
  return true;
}

type Naming = (path: readonly PropertyKey[]) => string;

function fieldName(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

/** As the caller wrote it: `status` for an item of its list, `metadata[key]` for a pair. */
function parameterName([name, key]: readonly PropertyKey[]): string {
  return typeof key === 'string' ? `${String(name)}[${key}]` : String(name);
}

/** Restates what a schema found, naming the field; never its value. */
function requestFault({ issues }: z.ZodError, nameOf: Naming): GatewayError {
  const issue = issues[0];
  if (issue === undefined) return new GatewayError('invalid_request');
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  const param = nameOf(path).slice(0, PARAM_LENGTH_MAX);
  const reason = unknown === undefined ? messageOf(issue) : 'There is no such field.';
  return path.length === 0
    ? new GatewayError('invalid_request', { message: reason })
    : wrongParam(param, `\`${param}\`: ${reason}`);
}

function messageOf(issue: z.core.$ZodIssue): string {
  const required = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return required ? 'This field is required.' : inPlainWords(issue.message);
}
