/**
 * `keys.origins`: a JSON list of browser origins; `key_origins` finds the keys that name one. It leaves out keys that are
 * revoked, and may leave out those that have expired, so that a look-up is short however often a key was rotated.
 * `signing_keys`: the sealed secrets that sign tokens.
 * `token_runs`: how many runs a token began; a row is made with the first. `expires_at` is the token's.
 * `master_keys.retired_at`: since when nothing may be sealed under it.
 * `audit`: `entry` is JSON, because a column of text keeps neither NULs nor lone surrogates; the triggers keep the
 * chain's order and make it a log that only grows. INSERT OR REPLACE would delete without the trigger on deleting, but
 * not past the one on inserting.
 */
export const access = `
ALTER TABLE keys ADD COLUMN origins TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN last_used_at INTEGER;

CREATE TABLE key_origins (
  origin TEXT NOT NULL,
  key_id TEXT NOT NULL,
  PRIMARY KEY (origin, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
  id TEXT NOT NULL PRIMARY KEY,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE token_runs (
  token_id TEXT NOT NULL PRIMARY KEY,
  runs INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_runs_by_end ON token_runs (expires_at);

ALTER TABLE master_keys ADD COLUMN retired_at INTEGER;

CREATE TABLE audit (
  seq INTEGER NOT NULL PRIMARY KEY,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL,
  entry TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_entries BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_keeps_all BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_keeps_order BEFORE INSERT ON audit
WHEN new.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
BEGIN
  SELECT raise(ABORT, 'the audit log only grows at its end');
END;

PRAGMA user_version = 3;
`;

/** What makes the audit log one that only grows: triggers by name, each with the statement that made it. */
export const AUDIT_GUARDS: ReadonlyMap<string, string> = new Map(
  [...access.matchAll(/^(CREATE TRIGGER (audit_\w+) .*?^END);$/gms)].map(([, sql = '', name = '']) => [name, sql]),
);
