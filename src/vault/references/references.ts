import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { Secret } from '../../core/secret.ts';
import { parseReference, type SecretReference } from '../../core/secret-reference.ts';
import type { ReferenceIn, SecretSource } from './secret-source.ts';

/** Secrets that Rungate does not keep itself, by references such as `env:NAME`. */
export interface References {
  /** Whether it names something, as far as memory tells: files and servers are not asked. False where it is of no known form. */
  isSet(reference: string): boolean;
  /** The secret, as it is now or was a moment ago; null where there is none. Throws `GatewayError` `vault_unavailable`. */
  read(reference: string): Promise<Secret | null>;
  /**
   * Looks again, a few times a minute at most, for a reference whose secret was refused: true where it was changed
   * lately, so that the refusal may have been of the one before. Never rejects.
   */
  hasChanged(reference: string): Promise<boolean>;
}

export interface ReferencesParts {
  env: SecretSource<ReferenceIn<'env'>>;
  file: SecretSource<ReferenceIn<'file'>>;
  /** Null: no server is configured, and nothing is there. */
  vault: SecretSource<ReferenceIn<'vault'>> | null;
  clock: Pick<Clock, 'monotonic'>;
  log: Pick<Log, 'info'>;
}

/** So many references, of this and of earlier configurations, are remembered. */
const REFERENCES_MAX = 1_000;
/** So many earlier secrets of a reference are looked for in vendors' answers. */
const EARLIER_MAX = 2;
const LOOK_AGAIN_MS = 5_000;
/** For so long after a change, calls that were made with the secret before may still be refused. */
const CHANGE_SETTLES_MS = 30_000;

/** A reference with the place that it points to. */
interface Bound {
  isSet(): boolean;
  read(): Promise<Secret | null>;
  expire: (() => void) | null;
  /** What its place handed out last, and what of that is handed on: the same, with those before it. */
  given: Secret | null;
  last: Secret | null;
  changedAt: number;
  lookedAt: number;
}

/** Joins the places where secrets lie. */
export function createReferences(parts: ReferencesParts): References {
  const { clock, log } = parts;
  const bounds = new Map<string, Bound | null>();

  function boundOf(text: string): Bound | null {
    let bound = bounds.get(text);
    if (bound === undefined) {
      if (bounds.size >= REFERENCES_MAX) bounds.delete(bounds.keys().next().value ?? '');
      const parsed = parseReference(text);
      bound = parsed.ok ? bind(parsed.reference, parts) : null;
      bounds.set(text, bound);
    }
    return bound;
  }

  function read(text: string): Promise<Secret | null> {
    const bound = boundOf(text);
    if (bound === null) return Promise.resolve(null);
    return bound.expire === null ? bound.read() : readChanging(text, bound);
  }

  async function readChanging(text: string, bound: Bound): Promise<Secret | null> {
    const secret = await bound.read();
    const { given } = bound;
    if (secret === null) return null;
    if (secret === given) return bound.last;
    bound.given = secret;
    if (given === null) bound.last = secret;
    else if (given.open() !== secret.open()) {
      bound.changedAt = clock.monotonic();
      log.info({ credential: text }, 'the secret behind a reference has changed');
      // Of what the place handed out, which holds none before it: else each would keep all that ever were.
      bound.last = new Secret(secret.open(), [given, ...(bound.last?.before ?? [])].slice(0, EARLIER_MAX));
    }
    return bound.last;
  }

  return {
    isSet: (text) => boundOf(text)?.isSet() ?? false,
    read,
    async hasChanged(text) {
      const bound = boundOf(text);
      if (bound === null || bound.expire === null) return false;
      const now = clock.monotonic();
      if (now - bound.lookedAt >= LOOK_AGAIN_MS) {
        bound.lookedAt = now;
        bound.expire();
        // A place that cannot be read says nothing of a change.
        await read(text).catch(() => null);
      }
      return clock.monotonic() - bound.changedAt < CHANGE_SETTLES_MS;
    },
  };
}

function bind(reference: SecretReference, { env, file, vault }: ReferencesParts): Bound | null {
  switch (reference.in) {
    case 'env':
      return boundTo(env, reference);
    case 'file':
      return boundTo(file, reference);
    case 'vault':
      return vault === null ? null : boundTo(vault, reference);
  }
}

function boundTo<Reference extends SecretReference>(source: SecretSource<Reference>, reference: Reference): Bound {
  const { expire } = source;
  return {
    isSet: () => source.isSet(reference),
    read: () => source.read(reference),
    expire: expire === null ? null : () => expire(reference),
    given: null,
    last: null,
    changedAt: -Infinity,
    lookedAt: -Infinity,
  };
}
