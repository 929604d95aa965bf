import { randomBytes } from 'node:crypto';

/** A secret that is nowhere else in the world, so that whoever finds it knows where it came from. */
export interface Marker {
  /** For people. */
  name: string;
  /** A text, or bytes. */
  value: string | Buffer;
}

/** Something that was written where others may read it. */
export interface Evidence {
  /** `log of the gateway`, `data/rungate.db-wal`. */
  place: string;
  bytes: Buffer;
  /** Secrets that are shown there on purpose: the one answer that shows them. */
  shows?: readonly string[];
}

export interface Hit {
  marker: string;
  form: string;
  place: string;
  around: string;
}

const AROUND = 200;

/** Characters that JSON, URLs, HTML and base64 each write in their own way. */
export function makeSecret(name: string): string {
  return `mk-${name}-${randomBytes(12).toString('hex')}/+="\\&~zQ`;
}

/** Every form in which a text or bytes may be written down, each with its name. */
export function formsOf(value: string | Buffer): Map<string, string> {
  const forms = Buffer.isBuffer(value) ? new Map([['as they are', value.toString('latin1')]]) : textForms(value);
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  forms.set('in hex', bytes.toString('hex'));
  forms.set('in capital hex', bytes.toString('hex').toUpperCase());
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    // Only the characters that depend on nothing but the text.
    const from = Math.ceil((offset * 8) / 6);
    const base64 = padded.toString('base64').slice(from, Math.floor((padded.length * 8) / 6));
    forms.set(`in base64 at ${offset}`, base64);
    forms.set(`in base64url at ${offset}`, base64.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

function textForms(value: string): Map<string, string> {
  const bytes = Buffer.from(value);
  const percent = (all: boolean) =>
    Array.from(bytes, (byte) => {
      const char = String.fromCharCode(byte);
      return all || !/[\w.~-]/.test(char) ? `%${byte.toString(16).padStart(2, '0')}` : char;
    }).join('');
  const escaped = Array.from(value, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  return new Map([
    ['as it is', value],
    ['in capitals', value.toUpperCase()],
    ['in small letters', value.toLowerCase()],
    ['percent-encoded', percent(false)],
    ['percent-encoded with capitals', percent(false).replace(/%../g, (code) => code.toUpperCase())],
    ['percent-encoded all over', percent(true)],
    ['percent-encoded all over with capitals', percent(true).toUpperCase()],
    ['as a form has it', new URLSearchParams({ x: value }).toString().slice(2)],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in JSON within JSON', JSON.stringify(JSON.stringify(value)).slice(3, -3)],
    ['in JSON with slashes escaped', JSON.stringify(value).slice(1, -1).replaceAll('/', '\\/')],
    ['in JSON all over', escaped],
    ['in JSON all over with capitals', escaped.replace(/[a-f]/g, (digit) => digit.toUpperCase())],
    ['in HTML', value.replaceAll('&', '&amp;').replaceAll('"', '&quot;')],
  ]);
}

/** Looks for every marker in every form in all that is given. */
export function findMarkers(markers: readonly Marker[], evidence: readonly Evidence[]): Hit[] {
  const wanted = markers.map(({ name, value }) => {
    const forms = new Map<string, string>();
    for (const [form, text] of formsOf(value)) if (![...forms.values()].includes(text)) forms.set(form, text);
    return { name, value, forms };
  });
  const hits: Hit[] = [];
  for (const { place, bytes, shows = [] } of evidence) {
    // Each byte a character: searching one string many times is faster than searching the bytes as often.
    const text = bytes.toString('latin1');
    for (const { name, value, forms } of wanted) {
      if (typeof value === 'string' && shows.includes(value)) continue;
      for (const [form, needle] of forms) {
        const at = text.indexOf(needle);
        if (at === -1) continue;
        const around = text.slice(Math.max(0, at - AROUND), at + needle.length + AROUND).replace(/[^ -~]/g, '.');
        hits.push({ marker: name, form, place, around });
      }
    }
  }
  return hits;
}
