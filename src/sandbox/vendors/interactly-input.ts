import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { jsonObjectIn, Refusal, type Call } from '../http-kit.ts';
import { isHexId } from '../workflow-names.ts';

const COMMANDS = ['start', 'data', 'resume', 'pause', 'stop'] as const;
export type Command = (typeof COMMANDS)[number];

interface Field {
  expected: string;
  fits(value: Json): boolean;
}
const ANY_OBJECT: Field = { expected: 'a valid dictionary', fits: isJsonObject };
const TEXT_OR_NULL: Field = {
  expected: 'a valid string',
  fits: (value) => value === null || typeof value === 'string',
};
const ID_OR_NULL: Field = {
  expected: 'a string of 24 hexadecimal digits',
  fits: (value) => value === null || (typeof value === 'string' && isHexId(value)),
};

const BODY_FIELDS: Readonly<Record<string, Field>> = {
  command: { expected: `one of ${COMMANDS.join(', ')}`, fits: (value) => isCommand(value) },
  dynamic_variables: ANY_OBJECT,
  initial_state: { expected: 'anything', fits: () => true },
  miscellaneous: ANY_OBJECT,
  run_by: TEXT_OR_NULL,
  runtime_variables: ANY_OBJECT,
  start_node_logical_id: TEXT_OR_NULL,
  team_id: TEXT_OR_NULL,
  thread_to_node_inputs: ANY_OBJECT,
  version_number: {
    expected: 'a whole number from 0',
    fits: (value) => value === null || (Number.isSafeInteger(value) && Number(value) >= 0),
  },
  workflow_id: ID_OR_NULL,
  workflow_run_id: ID_OR_NULL,
};

/** One of the vendor's five commands, with its body. */
export interface Order {
  input: JsonObject;
  body: Buffer;
  command: Command;
}

function isCommand(value: Json | undefined): value is Command {
  return COMMANDS.some((command) => command === value);
}

/** Reads one order; throws `Refusal` 400 or 422. */
export function readOrder(call: Call, body: Buffer): Order {
  return checkOrder(jsonObjectIn(call, body), body);
}

/** The same of a body that was found to be a JSON object. */
export function checkOrder(input: JsonObject, body: Buffer): Order {
  for (const [name, value] of Object.entries(input)) {
    const field = Object.hasOwn(BODY_FIELDS, name) ? BODY_FIELDS[name] : undefined;
    if (field === undefined) throw new Refusal(422, 'Extra inputs are not permitted', { code: name });
    if (!field.fits(value)) throw new Refusal(422, `Input should be ${field.expected}`, { code: name });
  }
  return { input, body, command: isCommand(input.command) ? input.command : 'start' };
}
