-- Pages of one person's history, and of one channel's, read nothing of others.
CREATE INDEX jobs_finished_by_user ON jobs (guild, user, finished, seq) WHERE finished IS NOT NULL AND deleted IS NULL;
CREATE INDEX jobs_finished_by_channel ON jobs (guild, channel, finished, seq) WHERE finished IS NOT NULL AND deleted IS NULL;

-- Whether the work under the newest lease got further than the work before: such an attempt is not counted.
ALTER TABLE jobs ADD COLUMN has_advanced INTEGER NOT NULL DEFAULT 0 CHECK (has_advanced IN (0, 1));
