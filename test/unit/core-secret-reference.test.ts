import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/core/secret-reference.ts';

const faultOf = (text: string) => {
  const parsed = parseReference(text);
  return parsed.ok ? null : parsed.fault;
};
const found = (text: string) => {
  const parsed = parseReference(text);
  return parsed.ok ? parsed.reference : null;
};

describe('a reference to a secret', () => {
  it.each([
    ['env:AI_TUTOR_KEY', { in: 'env', name: 'AI_TUTOR_KEY' }],
    ['file:/run/secrets/tutor', { in: 'file', path: '/run/secrets/tutor' }],
    ['file:/etc/a b/…/key.txt', { in: 'file', path: '/etc/a b/…/key.txt' }],
    ['vault:kv/tutor#key', { in: 'vault', mount: 'kv', path: 'tutor', field: 'key' }],
    ['vault:kv/prod/vendors/tutor#api key', { in: 'vault', mount: 'kv', path: 'prod/vendors/tutor', field: 'api key' }],
    ['vault:team%2Fkv/tutor#key', { in: 'vault', mount: 'team/kv', path: 'tutor', field: 'key' }],
    ['vault:kv/a%20b%C3%A4#key', { in: 'vault', mount: 'kv', path: 'a bä', field: 'key' }],
  ])('is read from %s', (text, reference) => {
    expect(found(text)).toEqual(reference);
  });

  it.each([
    ['', 'expected a reference to a secret'],
    ['sk_live_hunter2', 'expected a reference to a secret'],
    ['ENV:A', 'expected a reference to a secret'],
    ['env:', 'the name of a variable'],
    ['env:A B', 'the name of a variable'],
    ['env:1A', 'the name of a variable'],
    ['file:', 'absolute path'],
    ['file:run/secrets/tutor', 'absolute path'],
    ['file:./tutor', 'absolute path'],
    ['file://host/share', 'absolute path'],
    ['file:/run/../etc/shadow', 'without . and ..'],
    ['file:/run/./key', 'without . and ..'],
    ['file:/run/..', 'without . and ..'],
    ['file:/run/secrets/', 'does not end with /'],
    ['file:/run/key\0.txt', 'printable'],
    ['file:/run/key\n', 'printable'],
    ['file:/run/key\ud800', 'printable'],
    [`file:/${'x'.repeat(1024)}`, 'at most 1024'],
    ['vault:kv/tutor', 'the field is missing'],
    ['vault:kv/tutor#', 'the field is missing'],
    ['vault:kv#key', 'the path is missing'],
    ['vault:#key', 'none is empty'],
    ['vault:/kv/tutor#key', 'none is empty'],
    ['vault:kv//tutor#key', 'none is empty'],
    ['vault:kv/tutor/#key', 'none is empty'],
    ['vault:kv/../sys/raw#key', 'none is empty, . or ..'],
    ['vault:kv/%2e%2e/sys#key', 'none is empty, . or ..'],
    ['vault:kv/a%2F..%2Fb#key', 'none is empty, . or ..'],
    ['vault:kv/tutor?version=1#key', 'percent-encoded'],
    ['vault:kv/a b#key', 'percent-encoded'],
    ['vault:kv/%ff#key', 'percent-encoded'],
    ['vault:kv/%00#key', 'percent-encoded'],
    ['vault:kv/tutor.#key', 'does not end with a period'],
    ['vault:kv/tutor#a#b', 'no #'],
    ['vault:kv/tutor#a\nb', 'printable'],
    [`vault:kv/tutor#${'x'.repeat(201)}`, 'at most 200'],
    [`vault:kv/${'x'.repeat(1024)}#key`, 'at most 1024'],
  ])('is refused as %j', (text, fault) => {
    expect(faultOf(text)).toContain(fault);
  });

  it('is never quoted in its fault, as people paste the secret itself', () => {
    const secretish = fc.stringMatching(/^[A-Za-z0-9]{12,40}$/);
    const prefix = fc.constantFrom('', 'env:', 'file:', 'vault:', 'env: ', 'file:/../', 'vault:kv/', 'vault:kv#');
    fc.assert(
      fc.property(prefix, secretish, (before, secret) => {
        expect(faultOf(`${before}${secret}`) ?? '').not.toContain(secret);
      }),
    );
  });

  it('of any text is read without an exception, and names no path that climbs', () => {
    const text = fc.tuple(fc.constantFrom('env:', 'file:/', 'vault:kv/', ''), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(text, ([before, rest]) => {
        const reference = found(before + rest);
        if (reference === null || reference.in === 'env') return;
        expect(reference.path.split('/')).not.toContain('..');
        expect(reference.path).not.toContain('\0');
      }),
    );
  });
});
