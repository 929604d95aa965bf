const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Splits a header's value at `separator`, but not inside quoted strings. Parts are trimmed; empty ones are left out. */
export function splitList(value: string, separator: ',' | ';'): string[] {
  const stop = separator.charCodeAt(0);
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let i = 0; i <= value.length; i++) {
    const code = i === value.length ? stop : value.charCodeAt(i);
    if (quoted && code === BACKSLASH) i++;
    else if (code === QUOTE) quoted = !quoted;
    else if (i >= value.length || (code === stop && !quoted)) {
      const part = value.slice(from, i).trim();
      if (part !== '') parts.push(part);
      from = i + 1;
    }
  }
  return parts;
}
