import * as z from 'zod';
import { WEBHOOK_EVENTS } from '../../runs/model.ts';

const URL_LENGTH_MAX = 2_000;
/** What a parser of URLs would pass over or turn into something else. */
const MISREAD = /[\p{Cc}\s\\]/u;

/** Null: a message can be sent there, as far as the text tells. */
function urlFault(text: string): string | null {
  if (MISREAD.test(text)) return 'must not contain white space, a backslash or a control character';
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\/[^/]/i.test(text)) return 'must be an absolute http or https URL';
  // Even an empty one, which the parser drops: people may read another host out of it.
  if (/^https?:\/\/[^/?#]*@/i.test(text)) return 'must not contain a user name or a password';
  if (url.hostname.replace(/\.$/, '').split('.').includes('')) return 'must name a host, without a dot too many';
  if (text.includes('#')) return 'must not have a fragment';
  return null;
}

const target = z
  .string()
  .min(1)
  .max(URL_LENGTH_MAX)
  .superRefine((text, context) => {
    const fault = urlFault(text);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  })
  .meta({
    format: 'uri',
    description:
      'An absolute http or https URL without user name and fragment. Addresses that are not public are refused, unless the operator allows them.',
  });

const events = z
  .array(z.enum(WEBHOOK_EVENTS))
  .min(1)
  .max(WEBHOOK_EVENTS.length)
  .refine((names) => new Set(names).size === names.length, 'must not name an event twice')
  .meta({ uniqueItems: true, description: 'What to send. Default: all of them.' });

/** Where a run's caller wants to be told of it. */
export const webhookSchema = z.strictObject({ url: target, events: events.optional() });
