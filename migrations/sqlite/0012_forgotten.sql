-- When a job's words and pictures were forgotten because they were too old: its task is null then. NULL while they are kept.
ALTER TABLE jobs ADD COLUMN forgotten INTEGER;
CREATE INDEX jobs_to_forget ON jobs (finished, seq) WHERE finished IS NOT NULL AND forgotten IS NULL;

-- Pictures of a deleted job stay known from here on: one that another job was made from is no upload, and goes all the same.
