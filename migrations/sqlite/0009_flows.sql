-- Waiting jobs carry their arrival alone; whose turn it is stands with the flows (storage/src/turns.rs), so that what happens to one job
-- changes two rows of tags, however many wait.
ALTER TABLE jobs ADD COLUMN tier INTEGER NOT NULL DEFAULT 0 CHECK (tier IN (0, 1));     -- 0 is fast, 1 is relax
ALTER TABLE jobs ADD COLUMN model TEXT;                                                 -- what it is drawn with; NULL where any worker is as good
ALTER TABLE jobs ADD COLUMN passed INTEGER NOT NULL DEFAULT 0 CHECK (passed >= 0);      -- how often it was the first and another was taken

DROP INDEX jobs_by_turn;
DROP INDEX jobs_waiting;
DROP INDEX jobs_active;
DROP INDEX jobs_running;
CREATE INDEX jobs_waiting ON jobs (guild, tier, user, seq) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (user, guild, tier) WHERE status = 'leased';

-- The jobs of a guild in a tier.
CREATE TABLE flows (
    guild        INTEGER NOT NULL,
    tier         INTEGER NOT NULL CHECK (tier IN (0, 1)),
    start_tag    INTEGER NOT NULL,
    virtual_time INTEGER NOT NULL DEFAULT 0,                       -- among the users of this flow
    waiting      INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),  -- jobs
    head         INTEGER CHECK ((head IS NULL) = (waiting = 0)),   -- the job (seq) that is next in it
    UNIQUE (guild, tier)
) STRICT;

CREATE INDEX flows_by_turn ON flows (start_tag, head) WHERE head IS NOT NULL;

-- The jobs of a user in a flow.
CREATE TABLE flow_users (
    guild     INTEGER NOT NULL,
    tier      INTEGER NOT NULL,
    user      INTEGER NOT NULL,
    start_tag INTEGER NOT NULL,
    waiting   INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    head      INTEGER CHECK ((head IS NULL) = (waiting = 0)),      -- the oldest that waits
    PRIMARY KEY (guild, tier, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX flow_users_by_turn ON flow_users (guild, tier, start_tag, head) WHERE head IS NOT NULL;
CREATE INDEX flow_users_by_user ON flow_users (user) WHERE head IS NOT NULL;

INSERT INTO flow_users (guild, tier, user, start_tag, waiting, head)
    SELECT guild, 0, user, start_tag,
        (SELECT count(*) FROM jobs WHERE jobs.guild = old.guild AND jobs.tier = 0 AND jobs.user = old.user AND status = 'queued'),
        (SELECT min(seq) FROM jobs WHERE jobs.guild = old.guild AND jobs.tier = 0 AND jobs.user = old.user AND status = 'queued')
    FROM user_flows AS old;
INSERT INTO flows (guild, tier, start_tag, virtual_time, waiting, head)
    SELECT guild, 0, start_tag, virtual_time,
        (SELECT count(*) FROM jobs WHERE jobs.guild = old.guild AND jobs.tier = 0 AND status = 'queued'),
        (SELECT head FROM flow_users WHERE flow_users.guild = old.guild AND tier = 0 AND head IS NOT NULL ORDER BY start_tag, head LIMIT 1)
    FROM guild_flows AS old;
DROP TABLE user_flows;
DROP TABLE guild_flows;
ALTER TABLE jobs DROP COLUMN user_tag;
ALTER TABLE jobs DROP COLUMN start_tag;

ALTER TABLE turns ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0);  -- jobs of all flows
ALTER TABLE turns ADD COLUMN served INTEGER;                                           -- when a job was claimed last, if others still waited
ALTER TABLE turns ADD COLUMN pace_ms REAL;                                             -- what passes between two claims while jobs wait
UPDATE turns SET waiting = (SELECT count(*) FROM jobs WHERE status = 'queued');
