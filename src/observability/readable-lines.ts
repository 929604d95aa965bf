import { isJsonObject, parseJson, type Json, type JsonObject } from '../core/json.ts';
import { printable } from '../core/printable.ts';

/** Takes whole log lines. */
interface LineSink {
  write(line: string): void;
}

const COLORS: Readonly<Record<string, number>> = { debug: 90, info: 32, warn: 33, error: 31 };
const DIM = 2;
const LEVEL_WIDTH = 5;
/** Texts that need no quotes to be told from what stands beside them. */
const PLAIN = /^[^\s"'=]+$/;

/**
 * Shows lines of JSON to people: time, level, message, `name=value` for each field that has one, stacks below. Nothing
 * that came from outside can write more than its own text: control characters are shown as escapes.
 */
export function readableLines(sink: LineSink, { color }: { color: boolean }): LineSink {
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    write(line) {
      const parsed = parseJson(line);
      if (!parsed.ok || !isJsonObject(parsed.value)) return sink.write(`${printable(line.trimEnd())}\n`);
      const { level, time, msg, ...fields } = parsed.value;
      const name = typeof level === 'string' ? level : '';
      const head = [
        paint(DIM, timeOf(time)),
        paint(COLORS[name] ?? 0, name.toUpperCase().padEnd(LEVEL_WIDTH)),
        printable(textOf(msg)),
      ];
      const shown = Object.entries(fields).filter(([, value]) => value !== null);
      const tail = shown.map(([field, value]) => `${paint(DIM, `${printable(field)}=`)}${valueText(value)}`);
      const stacks = shown.flatMap(([, value]) => stackLines(value)).map((text) => `\n    ${paint(DIM, text)}`);
      sink.write(`${[...head, ...tail].join(' ')}${stacks.join('')}\n`);
    },
  };
}

/** The time of day in UTC: whoever watches knows the date. */
function timeOf(time: Json | undefined): string {
  return typeof time === 'string' ? printable(time.slice('2027-03-01T'.length, -1)) : '';
}

function valueText(value: Json): string {
  if (isError(value)) return quoted(`${textOf(value['name'])}: ${textOf(value['message'])}`);
  if (typeof value === 'string') return quoted(value);
  return printable(JSON.stringify(value));
}

function quoted(text: string): string {
  return printable(PLAIN.test(text) ? text : JSON.stringify(text));
}

/** An error as the log reduces it. */
function isError(value: Json | undefined): value is JsonObject {
  return isJsonObject(value) && 'message' in value && 'stack' in value;
}

/** Of the first line only a cause's is new. */
function stackLines(value: Json | undefined, depth = 0): string[] {
  if (!isError(value)) return [];
  const [first = '', ...frames] = textOf(value['stack']).split('\n');
  const own = depth === 0 ? frames : [`caused by ${first}`, ...frames];
  return [...own.map((line) => printable(line.trim())), ...stackLines(value['cause'], depth + 1)];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
