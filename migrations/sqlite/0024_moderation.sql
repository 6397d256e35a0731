-- What prompts may not say; guild 0 is everywhere. A word stands as it was typed, a pattern between two slashes.
CREATE TABLE blocked_words (
    guild       INTEGER NOT NULL,
    word        TEXT    NOT NULL CHECK (word <> ''),
    in_negative INTEGER NOT NULL CHECK (in_negative IN (0, 1)),  -- whether negative prompts may not say it either
    PRIMARY KEY (guild, word)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER word_is_new AFTER INSERT ON blocked_words BEGIN
    UPDATE rules_revision SET number = number + 1;
END;
CREATE TRIGGER word_is_changed AFTER UPDATE ON blocked_words BEGIN
    UPDATE rules_revision SET number = number + 1;
END;
CREATE TRIGGER word_is_gone AFTER DELETE ON blocked_words BEGIN
    UPDATE rules_revision SET number = number + 1;
END;

-- The channel where a guild's moderators are asked.
CREATE TABLE moderators (
    guild   INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL
) STRICT;

-- Lines that were refused for a word: moderators may let one through, once.
CREATE TABLE appeals (
    id      BLOB    PRIMARY KEY CHECK (length(id) = 16),
    guild   INTEGER NOT NULL,
    user    INTEGER NOT NULL,
    word    TEXT    NOT NULL,
    line    TEXT    NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('offered', 'asked', 'approved', 'denied', 'used')),
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX appeals_by_user ON appeals (user, guild, state);
CREATE INDEX appeals_by_age ON appeals (created);

-- Guilds that the bot left: what their people drew goes when they have been away for some days.
CREATE TABLE left_guilds (
    guild INTEGER PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT;

-- Persons who had everything deleted: what they have spent this month goes with its end.
CREATE TABLE erased (
    user  INTEGER PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT;
