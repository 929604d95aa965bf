import { describe, expect, it } from 'vitest';
import { readEnvironmentReference, referenceFault, unsetFault } from '../../../src/config/references.ts';

describe('a credential’s reference', () => {
  it('reads an environment variable as a secret, without white space around it', () => {
    expect(readEnvironmentReference('env:TUTOR', { TUTOR: ' sk_1\n' })?.open()).toBe('sk_1');
    expect(String(readEnvironmentReference('env:TUTOR', { TUTOR: 'sk_1' }))).toBe('[secret]');
  });

  it.each([
    ['unset', 'env:TUTOR', {}],
    ['empty', 'env:TUTOR', { TUTOR: '  ' }],
    ['a property of every object', 'env:constructor', {}],
    ['of another form', 'file:/etc/passwd', {}],
  ])('names no variable where it is %s', (_, reference, environment) => {
    expect(readEnvironmentReference(reference, environment)).toBeNull();
  });

  it.each([
    ['file:secrets/key', 'absolute path'],
    ['vault:tutor', 'the field is missing'],
    ['env:', 'expected a reference'],
    ['env:A B', 'expected a reference'],
    ['sk_live_hunter2', 'expected a reference'],
  ])('is refused as %s, which is not shown', (reference, message) => {
    expect(referenceFault(reference)).toContain(message);
    expect(referenceFault(reference)).not.toContain('hunter2');
  });

  it.each([['env:TUTOR'], ['file:/run/secrets/key'], ['vault:kv/tutor#key']])('is good as %s', (reference) => {
    expect(referenceFault(reference)).toBeNull();
  });

  it('lacks what the server’s environment does not have', () => {
    expect(unsetFault('env:TUTOR', {})).toContain('env:TUTOR: set this variable');
    expect(unsetFault('env:TUTOR', { TUTOR: 'sk_1' })).toBeNull();
    expect(unsetFault('vault:kv/tutor#key', {})).toContain('RUNGATE_VAULT_ADDR');
    expect(unsetFault('vault:kv/tutor#key', { RUNGATE_VAULT_ADDR: 'https://vault.example.com' })).toBeNull();
    expect(unsetFault('file:/nowhere', {})).toBeNull();
  });
});
