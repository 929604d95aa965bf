/**
 * `keys`: what a key may use up; NULL: no bound.
 * `credential_states`: what vendors made of credentials, stored ones and references; no row: usable.
 * `recent_starts`: starts of providers whose starts a minute are limited, of the last two minutes; `starts` counts those
 * that left in the same millisecond. Rows come in at one end of the table and go out at the other.
 * `run_days`: how many runs a key's lineage began on a day; the day comes first, so that old days lie together.
 * `runs_queued` finds the oldest runs that nobody has begun, of one key at one provider, and counts them all without
 * looking at a row; one that somebody is about to begin is not in it.
 */
export const resilience = `
ALTER TABLE credentials ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;

ALTER TABLE keys ADD COLUMN requests_per_minute INTEGER;
ALTER TABLE keys ADD COLUMN concurrent_runs INTEGER;
ALTER TABLE keys ADD COLUMN runs_per_day INTEGER;

CREATE TABLE credential_states (
  credential_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  state TEXT NOT NULL,
  code TEXT,
  at INTEGER NOT NULL,
  until INTEGER,
  PRIMARY KEY (credential_id, provider)
) STRICT, WITHOUT ROWID;

CREATE TABLE recent_starts (
  at INTEGER NOT NULL,
  provider TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  starts INTEGER NOT NULL,
  PRIMARY KEY (at, provider, credential_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_days (
  day TEXT NOT NULL,
  lineage TEXT NOT NULL,
  runs INTEGER NOT NULL,
  PRIMARY KEY (day, lineage)
) STRICT, WITHOUT ROWID;

DROP INDEX runs_queued;
CREATE INDEX runs_queued ON runs (provider, lineage, id) WHERE status = 'queued' AND owner IS NULL;

PRAGMA user_version = 2;
`;
