-- Times are milliseconds since 1970 UTC, costs are row-pixels (a millionth of a row-megapixel), ids of Discord are 64 bits
-- read as signed, tags are virtual time in row-pixels (see storage/src/sqlite/turns.rs).

-- Marks the file as ours ("ATLR"); a database of another program is refused, not changed.
PRAGMA application_id = 1096043602;

-- One row a job, for ever: history, idempotency and fences need it.
CREATE TABLE jobs (
    seq                 INTEGER PRIMARY KEY,                       -- order of arrival
    id                  BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    key                 TEXT    NOT NULL UNIQUE,                   -- the same interaction twice is one job
    press               TEXT,                                      -- the button press that it answers; NULL once released
    keeps_press         INTEGER NOT NULL DEFAULT 0 CHECK (keeps_press IN (0, 1)),
    guild               INTEGER NOT NULL,
    user                INTEGER NOT NULL,
    action              TEXT    NOT NULL,
    task                TEXT    NOT NULL CHECK (json_valid(task)),
    parent              BLOB    CHECK (length(parent) = 16),
    parent_index        INTEGER,
    source              TEXT,                                      -- a blob that the task needs
    status              TEXT    NOT NULL CHECK (status IN ('queued', 'leased', 'done', 'failed', 'cancelled')),
    row_pixels          INTEGER NOT NULL CHECK (row_pixels >= 0),  -- estimated cost
    user_tag            INTEGER NOT NULL DEFAULT 0,                -- turn inside the guild
    start_tag           INTEGER NOT NULL DEFAULT 0,                -- turn among all
    epoch               INTEGER NOT NULL DEFAULT 0,                -- number of the newest lease; fences older ones
    attempts            INTEGER NOT NULL DEFAULT 0,
    lease_until         INTEGER,
    is_cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (is_cancel_requested IN (0, 1)),
    channel             INTEGER NOT NULL,
    token               TEXT,                                      -- erased once the answer has arrived
    token_expires       INTEGER NOT NULL,
    message             INTEGER,
    error               TEXT,
    created             INTEGER NOT NULL,
    finished            INTEGER,
    deleted             INTEGER,
    CHECK ((status = 'leased') = (lease_until IS NOT NULL)),
    CHECK ((status IN ('done', 'failed', 'cancelled')) = (finished IS NOT NULL)),
    CHECK ((parent IS NULL) = (parent_index IS NULL))
) STRICT;

CREATE UNIQUE INDEX jobs_by_press ON jobs (press) WHERE press IS NOT NULL;
CREATE INDEX jobs_by_turn ON jobs (start_tag, seq) WHERE status = 'queued';
CREATE INDEX jobs_waiting ON jobs (guild, user, seq) WHERE status = 'queued';
CREATE INDEX jobs_active ON jobs (user) WHERE status IN ('queued', 'leased');
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE status = 'leased';
CREATE INDEX jobs_finished ON jobs (guild, finished, seq) WHERE finished IS NOT NULL AND deleted IS NULL;
CREATE INDEX jobs_by_source ON jobs (source) WHERE source IS NOT NULL;

-- Pictures of done jobs; the bytes are in the blob store.
CREATE TABLE images (
    job    INTEGER NOT NULL REFERENCES jobs (seq),
    number INTEGER NOT NULL CHECK (number >= 0),
    seed   INTEGER NOT NULL,
    width  INTEGER NOT NULL CHECK (width >= 0),
    height INTEGER NOT NULL CHECK (height >= 0),
    blob   TEXT    NOT NULL CHECK (length(blob) = 64),
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX images_by_blob ON images (blob);

-- What was charged. A job has one debit and, once it ended, exactly one correction: the sum of both is its price.
CREATE TABLE ledger (
    job        INTEGER NOT NULL REFERENCES jobs (seq),
    kind       TEXT    NOT NULL CHECK (kind IN ('debit', 'settle', 'refund')),
    guild      INTEGER NOT NULL,
    day        INTEGER NOT NULL,  -- UTC day of the debit, in days since 1970; corrections go to the same day
    row_pixels INTEGER NOT NULL,
    UNIQUE (job, kind)
) STRICT;

CREATE UNIQUE INDEX ledger_corrections ON ledger (job) WHERE kind <> 'debit';
CREATE INDEX ledger_by_day ON ledger (guild, day, row_pixels);

-- Endings that must reach their user. A row stays when it is delivered or given up.
CREATE TABLE outbox (
    job      INTEGER PRIMARY KEY REFERENCES jobs (seq),
    kind     TEXT    NOT NULL CHECK (kind IN ('done', 'failed', 'cancelled')),
    state    TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    due      INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error    TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (due, job) WHERE state = 'pending';

-- Fair turns: the virtual time, and for each flow the tag of its next turn. One row.
CREATE TABLE turns (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    virtual_time INTEGER NOT NULL
) STRICT;

INSERT INTO turns (id, virtual_time) VALUES (1, 0);

CREATE TABLE guild_flows (
    guild        INTEGER PRIMARY KEY,
    start_tag    INTEGER NOT NULL,
    virtual_time INTEGER NOT NULL DEFAULT 0  -- among the users of this guild
) STRICT;

CREATE TABLE user_flows (
    guild     INTEGER NOT NULL,
    user      INTEGER NOT NULL,
    start_tag INTEGER NOT NULL,
    PRIMARY KEY (guild, user)
) STRICT, WITHOUT ROWID;

-- What a guild's managers chose; NULL leaves the configuration's value.
CREATE TABLE guild_settings (
    guild               INTEGER PRIMARY KEY,
    daily_row_pixels    INTEGER,
    max_active_per_user INTEGER
) STRICT;

-- Small remembered values, such as the hash of the registered commands.
CREATE TABLE notes (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
