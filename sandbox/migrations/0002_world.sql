-- owners is Discord's authorizing_integration_owners; n_follow_ups counts towards the limit of user-installed applications.
ALTER TABLE interactions ADD COLUMN owners TEXT;
ALTER TABLE interactions ADD COLUMN n_follow_ups INTEGER NOT NULL DEFAULT 0;

-- body is the thread as the stand-in's own code keeps it.
CREATE TABLE threads (
    id   INTEGER PRIMARY KEY,
    body TEXT    NOT NULL
) STRICT;

-- body is Discord's entitlement object.
CREATE TABLE entitlements (
    id       INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL,
    body     TEXT    NOT NULL
) STRICT;
CREATE INDEX entitlements_by_owner ON entitlements (owner_id, id);

-- One row per command created in the last day; guild_id 0 means global.
CREATE TABLE command_creations (
    guild_id   INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
