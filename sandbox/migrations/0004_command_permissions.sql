-- id is that of a command, or the application's for all of its commands; body is Discord's list of permissions.
CREATE TABLE command_permissions (
    guild_id INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (guild_id, id)
) STRICT;
