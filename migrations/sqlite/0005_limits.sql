-- Who spent it: a person has one sum over all places, and the host one over all persons.
ALTER TABLE ledger ADD COLUMN user INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET user = (SELECT user FROM jobs WHERE seq = ledger.job);
CREATE INDEX ledger_by_person ON ledger (day, user, guild, row_pixels);

-- A claim passes over those who run enough: it reads whose a waiting job is, and counts who runs.
DROP INDEX jobs_by_turn;
CREATE INDEX jobs_by_turn ON jobs (start_tag, seq, guild, user) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (guild, user) WHERE status = 'leased';

-- What one member of a guild may spend of its day; NULL for all of it.
ALTER TABLE guild_settings ADD COLUMN member_row_pixels INTEGER;

-- A small picture of a finished job, in the blob store; made when its history is first looked at.
ALTER TABLE jobs ADD COLUMN thumbnail TEXT CHECK (length(thumbnail) = 64);
CREATE INDEX jobs_by_thumbnail ON jobs (thumbnail) WHERE thumbnail IS NOT NULL;
