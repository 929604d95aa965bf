import { describe, expect, it } from 'vitest';
import { referenceFault, unsetFault } from '../../../src/config/references.ts';

describe('a credential’s reference', () => {
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

  it.each([
    'env:RUNGATE_MASTER_KEY',
    'env:rungate_master_key',
    'env:RUNGATE_VAULT_TOKEN',
    'env:RUNGATE_VAULT_SECRET_ID',
    'env:OTEL_EXPORTER_OTLP_HEADERS',
    'env:RUNGATE_DATABASE_URL',
  ])('is refused where it names a variable of our own, %s, which is not shown', (reference) => {
    expect(referenceFault(reference)).toContain('of Rungate’s own');
    expect(referenceFault(reference)).not.toContain(reference.slice('env:'.length));
  });

  it('may be a variable of a vendor whose name begins like ours', () => {
    expect(referenceFault('env:RUNGATE_AI_TUTOR_KEY')).toBeNull();
  });

  it.each([
    ['/var/lib/rungate/master.key', { RUNGATE_DATA_DIR: '/var/lib/rungate/' }],
    [`${process.cwd()}/data/master.key`, {}],
    ['/run/keys', { RUNGATE_MASTER_KEY_FILE: '/run/keys' }],
    ['/run//keys', { RUNGATE_MASTER_KEY_FILE: '/run/keys' }],
    ['/run/token', { RUNGATE_VAULT_TOKEN_FILE: '/run/token' }],
    ['/run/id', { RUNGATE_VAULT_SECRET_ID_FILE: '/run/id' }],
  ])('is refused as the file %s where that is ours, which is not shown', (path, environment) => {
    expect(unsetFault(`file:${path}`, environment)).toContain('of Rungate’s own');
    expect(unsetFault(`file:${path}`, environment)).not.toContain(path);
    expect(unsetFault(`file:${path}.other`, environment)).toBeNull();
  });

  it('lacks what the server’s environment does not have', () => {
    expect(unsetFault('env:TUTOR', {})).toContain('env:TUTOR: set this variable');
    expect(unsetFault('env:TUTOR', { TUTOR: '  ' })).toContain('env:TUTOR: set this variable');
    expect(unsetFault('env:constructor', {})).toContain('env:constructor: set this variable');
    expect(unsetFault('env:TUTOR', { TUTOR: 'sk_1' })).toBeNull();
    expect(unsetFault('vault:kv/tutor#key', {})).toContain('RUNGATE_VAULT_ADDR');
    expect(unsetFault('vault:kv/tutor#key', { RUNGATE_VAULT_ADDR: 'https://vault.example.com' })).toBeNull();
    expect(unsetFault('file:/nowhere', {})).toBeNull();
  });
});
