import { formsOf } from './markers.ts';

/** Everything that a vendor may make of a secret that it was shown, in one text. */
export function echoOf(secrets: readonly string[]): string {
  const forms = secrets.flatMap((secret) => [
    ...formsOf(secret).values(),
    Buffer.from(`user:${secret}`).toString('base64'),
    Buffer.from(`ab${secret}cd`).toString('base64url'),
    encodeURIComponent(secret),
    encodeURI(secret),
  ]);
  return forms.join(' | ');
}

/** The same where it goes into a header: one line of visible characters. */
export function headerEchoOf(secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, encodeURIComponent(secret), Buffer.from(`u:${secret}`).toString('base64')])
    .join(' ');
}

/** JSON whose strings are written with as many escapes as there can be. */
export function escapedJson(value: unknown): string {
  return JSON.stringify(value).replace(/"(?:[^"\\]|\\.)*"/g, (text) => {
    const plain = JSON.parse(text) as string;
    const escaped = Array.from(
      { length: plain.length },
      (_, i) => `\\u${plain.charCodeAt(i).toString(16).padStart(4, '0')}`,
    );
    return `"${escaped.join('')}"`;
  });
}
