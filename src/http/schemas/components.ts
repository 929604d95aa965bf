import type * as z from 'zod';
import { auditEntrySchema } from './admin/audit.ts';
import { credentialSchema, referenceSchema } from './admin/credential.ts';
import { keySchema } from './admin/key.ts';
import { eventPageSchema, eventSchema } from './event-answer.ts';
import { deliverySchema } from './delivery-answer.ts';
import { providerSchema, workflowSchema } from './catalogue-answer.ts';
import { errorCodeSchema, errorSchema } from './error-answer.ts';
import { runPageSchema, runSchema } from './run-answer.ts';
import { runRequestSchema } from './run-request.ts';

/** Schemas that have a name of their own in the OpenAPI document, and so in generated clients. */
export const COMPONENTS: ReadonlyMap<z.ZodType, string> = new Map<z.ZodType, string>([
  [errorCodeSchema, 'ErrorCode'],
  [errorSchema, 'Error'],
  [runSchema, 'Run'],
  [runPageSchema, 'RunPage'],
  [eventSchema, 'Event'],
  [eventPageSchema, 'EventPage'],
  [deliverySchema, 'Delivery'],
  [runRequestSchema, 'RunRequest'],
  [providerSchema, 'Provider'],
  [workflowSchema, 'Workflow'],
]);

/** The same for the admin API's document. */
export const ADMIN_COMPONENTS: ReadonlyMap<z.ZodType, string> = new Map<z.ZodType, string>([
  [errorCodeSchema, 'ErrorCode'],
  [errorSchema, 'Error'],
  [runSchema, 'Run'],
  [runPageSchema, 'RunPage'],
  [eventSchema, 'Event'],
  [eventPageSchema, 'EventPage'],
  [keySchema, 'Key'],
  [credentialSchema, 'Credential'],
  [referenceSchema, 'CredentialReference'],
  [auditEntrySchema, 'AuditEntry'],
]);
