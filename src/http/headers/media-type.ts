const CHARSET = /;\s*charset\s*=\s*("?)([^";\s]*)\1/gi;

/** Whether a `Content-Type` of `application/json` names no charset but UTF-8. */
export function isUtf8(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType === 'application/json') return true;
  for (const [, , charset = ''] of contentType.matchAll(CHARSET)) {
    if (!/^utf-?8$/i.test(charset)) return false;
  }
  return true;
}
