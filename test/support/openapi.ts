import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reviveJson, type Json, type JsonObject } from '../../src/core/json.ts';
import { ROOT } from './documents.ts';

export interface Media {
  schema: JsonObject;
  examples?: Record<string, { summary: string; value: JsonObject }>;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: JsonObject;
  style?: string;
}

export interface Response {
  headers?: Record<string, JsonObject>;
  content?: Record<string, Media>;
}

export interface DescribedOperation {
  operationId: string;
  summary: string;
  description: string;
  security?: Json[];
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, Response>;
}

/** As much of a document as tests look into. */
export interface OpenApi {
  paths: Record<string, Record<string, DescribedOperation>>;
  components: Record<'schemas' | 'responses' | 'parameters' | 'headers', Record<string, JsonObject>>;
}

/** The committed document: the runs API's, or the admin API's. */
export function readOpenApi(name: 'openapi' | 'admin' = 'openapi'): OpenApi {
  return reviveJson<OpenApi>(readFileSync(join(ROOT, 'openapi', `${name}.json`), 'utf8'));
}

/** What a `$ref` leads to; anything else as it is. */
export function resolved<T>(document: OpenApi, value: T): T {
  const { $ref } = value as { $ref?: unknown };
  if (typeof $ref !== 'string') return value;
  const steps = $ref.split('/').slice(1);
  return steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document) as T;
}
