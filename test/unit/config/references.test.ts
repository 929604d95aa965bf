import { describe, expect, it } from 'vitest';
import { readReference, referenceFault } from '../../../src/config/references.ts';

describe('a credential’s reference', () => {
  it('reads an environment variable as a secret, without white space around it', () => {
    expect(readReference('env:TUTOR', { TUTOR: ' sk_1\n' })?.open()).toBe('sk_1');
    expect(String(readReference('env:TUTOR', { TUTOR: 'sk_1' }))).toBe('[secret]');
  });

  it.each([
    ['unset', 'env:TUTOR', {}],
    ['empty', 'env:TUTOR', { TUTOR: '  ' }],
    ['a property of every object', 'env:constructor', {}],
    ['of no known form', 'file:/etc/passwd', {}],
  ])('names nothing where it is %s', (_, reference, environment) => {
    expect(readReference(reference, environment)).toBeNull();
  });

  it.each([
    ['file:/run/secrets/key', 'not supported by this version'],
    ['vault:tutor', 'not supported by this version'],
    ['env:', 'expected a reference'],
    ['env:A B', 'expected a reference'],
    ['sk_live_hunter2', 'expected a reference'],
  ])('is refused as %s, which is not shown', (reference, message) => {
    expect(referenceFault(reference)).toContain(message);
    expect(referenceFault(reference)).not.toContain('hunter2');
  });
});
