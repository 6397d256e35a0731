-- One row: the highest id ever given out, and the key that signs attachment addresses.
CREATE TABLE identity (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    last_id INTEGER NOT NULL,
    secret  BLOB    NOT NULL
) STRICT;

-- guild_id 0 means a global command. body is the command as Discord would show it.
CREATE TABLE commands (
    id       INTEGER PRIMARY KEY,
    guild_id INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    UNIQUE (guild_id, kind, name)
) STRICT;

-- body is Discord's message object without addresses, which are signed when it is shown.
-- audience is the only person who sees an ephemeral message.
CREATE TABLE messages (
    id             INTEGER PRIMARY KEY,
    channel_id     INTEGER NOT NULL,
    author_id      INTEGER NOT NULL,
    audience       INTEGER,
    interaction_id INTEGER,
    nonce          TEXT,
    created_ms     INTEGER NOT NULL,
    body           TEXT    NOT NULL
) STRICT;
CREATE INDEX messages_by_channel ON messages (channel_id, id);
CREATE INDEX messages_by_nonce ON messages (author_id, nonce) WHERE nonce IS NOT NULL;

-- answer is the callback type of the first answer; original_id the message that @original names;
-- source_id the message whose component was used; modal the form that the first answer opened.
CREATE TABLE interactions (
    id          INTEGER PRIMARY KEY,
    token       TEXT    NOT NULL UNIQUE,
    kind        INTEGER NOT NULL,
    name        TEXT,
    user_id     INTEGER NOT NULL,
    channel_id  INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    answer      INTEGER,
    original_id INTEGER,
    source_id   INTEGER,
    modal       TEXT
) STRICT;

-- message_id is null while a person's upload waits for the command that names it.
CREATE TABLE files (
    id           INTEGER PRIMARY KEY,
    channel_id   INTEGER NOT NULL,
    message_id   INTEGER,
    filename     TEXT    NOT NULL,
    content_type TEXT    NOT NULL
) STRICT;
CREATE INDEX files_by_message ON files (message_id);
