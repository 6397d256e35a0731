-- A delivery that failed waits from `since` to `due`. A clock that shows less than `since` was set back, and the delivery does not wait for it to
-- come round again.
ALTER TABLE outbox ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET since = due WHERE state = 'pending';
CREATE INDEX outbox_since ON outbox (since, job) WHERE state = 'pending';

-- The channel in which a new message with the ending is being tried: it may be there although nobody heard so.
ALTER TABLE outbox ADD COLUMN posting INTEGER;
