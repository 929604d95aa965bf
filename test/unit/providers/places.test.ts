import { describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { mayUse, originOf } from '../../../src/providers/places.ts';
import { createRegistry, succeeding, type ProviderSetting, type Registry } from '../../../src/providers/registry.ts';

const OLD = 'https://old.example.com';
const NEW = 'https://new.example.com';
const FILE = 'file:/run/secrets/tutor';
const VAULT = 'vault:kv/tutor#key';
const ENV = 'env:TUTOR';

/** What a process knows that has used these configurations of one provider, one after another; null: without it. */
function after(...settings: (ProviderSetting | null)[]): Registry {
  const registries = settings.map((setting) =>
    createRegistry({
      kinds: PROVIDER_KINDS,
      providers: setting ? { tutor: { kind: 'ai-tutor', ...setting } } : {},
      workflows: [],
    }),
  );
  return registries.reduce((before, next) => succeeding(next, before));
}
const at = (baseUrl: string, ...references: string[]): ProviderSetting => ({
  baseUrl: `${baseUrl}/v1`,
  credentials: references.map((reference) => ({ reference, weight: 1 })),
});
const may = (registry: Registry, origin: string, reference: string | null) =>
  mayUse(registry, { provider: 'tutor', origin, reference });

describe('a credential that the vault keeps', () => {
  it('goes to the origin of its provider, and to no other', () => {
    const registry = after(at(OLD));
    expect(may(registry, OLD, null)).toBe(true);
    expect(may(registry, NEW, null)).toBe(false);
    expect(may(registry, 'http://old.example.com', null)).toBe(false);
    expect(may(registry, `${OLD}:8443`, null)).toBe(false);
    expect(mayUse(registry, { provider: 'ai-tutor', origin: OLD, reference: null })).toBe(false);
    expect(mayUse(registry, { provider: 'nobody', origin: OLD, reference: null })).toBe(false);
  });

  it('goes on to where its provider was earlier in this process', () => {
    expect(may(after(at(OLD), at(NEW)), OLD, null)).toBe(true);
    expect(may(after(at(OLD), null, null), OLD, null)).toBe(true);
  });

  it('of a provider without an entry goes to where its kind is', () => {
    const registry = after(null);
    const origin = originOf(registry.provider('ai-tutor')?.baseUrl ?? '');
    expect(mayUse(registry, { provider: 'ai-tutor', origin: origin ?? '', reference: null })).toBe(true);
  });
});

describe('a reference', () => {
  it.each([FILE, VAULT, ENV])('goes to the origin that it is listed for (%s)', (reference) => {
    const registry = after(at(OLD, reference));
    expect(may(registry, OLD, reference)).toBe(true);
    expect(may(registry, NEW, reference)).toBe(false);
    expect(may(registry, OLD, `${reference}2`)).toBe(false);
    expect(may(registry, OLD, 'file:/data/master.key')).toBe(false);
  });

  it.each([FILE, VAULT])(
    'that may hold another secret by now stays away from where its provider was (%s)',
    (reference) => {
      expect(may(after(at(OLD, reference), at(NEW, reference)), OLD, reference)).toBe(false);
      expect(may(after(at(OLD, reference), at(NEW, reference)), NEW, reference)).toBe(true);
      expect(may(after(at(OLD, reference), null), OLD, reference)).toBe(false);
      expect(may(after(at(OLD, reference), at(NEW, reference), at(OLD, reference)), OLD, reference)).toBe(true);
    },
  );

  it.each([FILE, VAULT, ENV])('that is not listed any more goes on to the same origin (%s)', (reference) => {
    expect(may(after(at(OLD, reference), at(OLD)), OLD, reference)).toBe(true);
    expect(may(after(at(OLD, reference), at(OLD), at(NEW, reference)), NEW, reference)).toBe(true);
    expect(may(after(at(OLD), at(NEW, reference), at(OLD)), OLD, reference)).toBe(false);
  });

  it('to a variable goes on to where its provider was: its value cannot have changed', () => {
    expect(may(after(at(OLD, ENV), at(NEW, ENV)), OLD, ENV)).toBe(true);
    expect(may(after(at(OLD, ENV), null), OLD, ENV)).toBe(true);
    expect(may(after(at(OLD), at(NEW, ENV)), OLD, ENV)).toBe(false);
  });
});

describe('a place', () => {
  it('has the permission that the configuration gave it last, and the kinds that it ever had', () => {
    const allowed = { ...at(OLD), allowPrivateNetwork: true };
    expect(after(allowed, at(NEW)).place('tutor', OLD)).toMatchObject({ allowPrivateNetwork: true });
    expect(after(allowed, at(OLD)).place('tutor', OLD)).toMatchObject({ allowPrivateNetwork: false });
    expect(after(allowed, { ...allowed, kind: 'b3os' }).place('tutor', OLD)?.kinds).toEqual(
      new Set(['ai-tutor', 'b3os']),
    );
    expect(after(at(OLD)).place('tutor', NEW)).toBeNull();
  });

  it('is forgotten after so many others, and so is a reference', () => {
    const moves = Array.from({ length: 1_100 }, (_, i) => at(`https://v${i}.example.com`));
    const moved = after(at(OLD), ...moves);
    expect(moved.places.size).toBeLessThan(1_100);
    expect(may(moved, OLD, null)).toBe(false);
    expect(may(moved, 'https://v1098.example.com', null)).toBe(true);
    const changes = Array.from({ length: 150 }, (_, i) => at(OLD, `env:V${i}`));
    expect(after(...changes).place('tutor', OLD)?.references.size).toBe(101);
    expect(may(after(...changes), OLD, 'env:V149')).toBe(true);
  });
});

it('an address that is no URL with a host has no origin', () => {
  for (const text of ['', 'x', 'data:,x', 'file:///etc/passwd']) expect(originOf(text)).toBeNull();
  expect(originOf('https://A.example.com:443/v1')).toBe('https://a.example.com');
});
