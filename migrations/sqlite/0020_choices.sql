-- What a person, a guild's managers or a channel's chose, by the topic that it belongs to and its name there; the value is JSON.
CREATE TABLE choices (
    kind  TEXT    NOT NULL CHECK (kind IN ('person', 'guild', 'channel')),
    owner INTEGER NOT NULL,
    topic TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (kind, owner, topic, name)
) STRICT, WITHOUT ROWID;

-- Guilds whose waiting jobs are held back, and by whom.
CREATE TABLE pauses (
    guild INTEGER PRIMARY KEY,
    user  INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- Whether a job's answer is for its person alone.
ALTER TABLE jobs ADD COLUMN is_private INTEGER NOT NULL DEFAULT 0 CHECK (is_private IN (0, 1));
