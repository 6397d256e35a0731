-- What the network gave at each step of a picture, eight bytes a step, the lowest first; NULL where that was not noted.
ALTER TABLE images ADD COLUMN digests BLOB;

-- For the lineage of a job: what was made from it.
CREATE INDEX jobs_by_parent ON jobs (parent, seq) WHERE parent IS NOT NULL;
