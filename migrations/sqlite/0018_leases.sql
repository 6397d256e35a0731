-- When a lease was given or prolonged. A clock that shows less was set back: the lease is then counted from what it shows, and nobody's job is held
-- until the clock has come round again.
ALTER TABLE jobs ADD COLUMN lease_since INTEGER;
