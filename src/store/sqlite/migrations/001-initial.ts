/**
 * Rows of `runs` are found by a time-ordered id; a plain rowid table costs half of a WITHOUT ROWID one here,
 * because a row is larger than such a table's pages like.
 * `inputs` and `output`: JSON, or '' where the text is in `payloads`; `output` NULL: none yet.
 * `log`: the events of the run's moves, one JSON array a line (event-log.ts); what else there is is in `events`.
 * `finished_at` is set if and only if the run has ended.
 * `vendor_run_id` finds the run that a vendor's own webhook is about; NULL before it is known, and after the end.
 * `runs_queued` finds the oldest run that nobody has begun; only such runs are in it.
 * `runs_unfinished` serves the claim of due runs, owners' runs and the counts; ended runs are not in it.
 * `deliveries_pending` serves the claim of due messages; one that an owner tries has no `due_at` and is found by `id`.
 * Each script ends by setting its own number, inside the same transaction.
 */
export const initial = `
CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  status TEXT NOT NULL,
  lineage TEXT NOT NULL,
  subject TEXT,
  provider TEXT NOT NULL,
  workflow TEXT NOT NULL,
  owner TEXT,
  due_at INTEGER,
  finished_at INTEGER,
  vendor_run_id TEXT,
  idempotency_key TEXT,
  pinned TEXT NOT NULL,
  state TEXT NOT NULL,
  log TEXT NOT NULL,
  inputs TEXT NOT NULL,
  output TEXT
) STRICT;
CREATE INDEX runs_by_lineage ON runs (lineage, id);
CREATE INDEX runs_queued ON runs (id) WHERE status = 'queued';
CREATE INDEX runs_unfinished ON runs (owner, due_at, status, provider) WHERE finished_at IS NULL;
CREATE INDEX runs_by_vendor_run ON runs (vendor_run_id) WHERE finished_at IS NULL AND vendor_run_id IS NOT NULL;

CREATE TABLE payloads (
  run_id TEXT NOT NULL,
  part TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (run_id, part)
) STRICT;

CREATE TABLE events (
  run_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  at INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
  run_id TEXT NOT NULL,
  id TEXT NOT NULL,
  event TEXT NOT NULL,
  snapshot TEXT,
  created_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  tries INTEGER NOT NULL,
  last_at INTEGER,
  last_status INTEGER,
  last_error TEXT,
  owner TEXT,
  due_at INTEGER,
  PRIMARY KEY (run_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_pending ON deliveries (owner, due_at, id) WHERE status = 'pending';

CREATE TABLE idempotency (
  lineage TEXT NOT NULL,
  subject TEXT NOT NULL,
  key TEXT NOT NULL,
  run_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (lineage, subject, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE owners (
  owner TEXT NOT NULL PRIMARY KEY,
  beat_at INTEGER NOT NULL,
  dead INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  lineage TEXT NOT NULL,
  secret_hash BLOB NOT NULL,
  allowed_workflows TEXT NOT NULL,
  allowed_providers TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE TABLE credentials (
  id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  label TEXT,
  purpose TEXT NOT NULL,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook_secrets (
  lineage TEXT NOT NULL,
  id TEXT NOT NULL,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (lineage, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE master_keys (
  fingerprint TEXT NOT NULL PRIMARY KEY,
  added_at INTEGER NOT NULL
) STRICT;

CREATE TABLE probes (
  name TEXT NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

PRAGMA application_id = 0x72676174;
PRAGMA user_version = 1;
`;
