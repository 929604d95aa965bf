import type { Provider, Registry } from './registry.ts';

/**
 * A provider at an origin, as the configuration names it, or named it earlier in this process. Credentials, and calls of runs that
 * are under way, go to such places alone: what a run's row says of its address was in the database, where others may have written it.
 */
export interface Place {
  /** What it spoke there. */
  readonly kinds: ReadonlySet<string>;
  /** As it was said last. */
  readonly allowPrivateNetwork: boolean;
  /** References that were listed for it there, these days or earlier. */
  readonly references: ReadonlySet<string>;
}

export type Places = ReadonlyMap<string, Place>;

/** Of places that the configuration does not name any more; runs at one that is forgotten are not asked for any more. */
const EARLIER_PLACES_MAX = 1_000;
/** Of each place, beyond those that are listed now. */
const EARLIER_REFERENCES_MAX = 100;

/** Scheme, host and port; null where the text is no URL of such. */
export function originOf(baseUrl: string): string | null {
  const origin = URL.parse(baseUrl)?.origin;
  return origin === undefined || origin === 'null' ? null : origin;
}

export function placeKey(provider: string, origin: string): string {
  // No origin has a line break, so that two never give the same.
  return `${provider}\n${origin}`;
}

/** The places of these providers, and the latest of those that were named before. */
export function placesOf(providers: Iterable<Provider>, before: Places = new Map()): Places {
  const now = new Map<string, Place>();
  for (const { name, kind, baseUrl, allowPrivateNetwork, credentials } of providers) {
    const origin = originOf(baseUrl);
    if (origin === null) continue;
    const key = placeKey(name, origin);
    const earlier = before.get(key);
    const listed = credentials.map(({ reference }) => reference);
    const unlisted = [...(earlier?.references ?? [])].filter((reference) => !listed.includes(reference));
    now.set(key, {
      kinds: new Set([...(earlier?.kinds ?? []), kind.kind]),
      allowPrivateNetwork,
      references: new Set([...unlisted.slice(-EARLIER_REFERENCES_MAX), ...listed]),
    });
  }
  const gone = [...before].filter(([key]) => !now.has(key)).slice(-EARLIER_PLACES_MAX);
  return new Map([...gone, ...now]);
}

/** A credential of a provider, and where it is to be sent. */
export interface CredentialUse {
  provider: string;
  origin: string;
  /** Null: one that the vault keeps. */
  reference: string | null;
}

/**
 * Whether a run that is under way may be asked for with a credential. One that the vault keeps, and a variable, whose value never
 * changes while the process lives, may go wherever the configuration has named for them. Behind other references another
 * secret may lie by now, which is the new address's: they go to the provider's present origin alone.
 */
export function mayUse(
  registry: Pick<Registry, 'place' | 'provider'>,
  { provider: name, origin, reference }: CredentialUse,
): boolean {
  const place = registry.place(name, origin);
  if (place === null) return false;
  if (reference === null) return true;
  if (!place.references.has(reference)) return false;
  if (reference.startsWith('env:')) return true;
  const provider = registry.provider(name);
  return provider !== null && originOf(provider.baseUrl) === origin;
}
