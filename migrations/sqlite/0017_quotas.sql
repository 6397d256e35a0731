-- From here on the days of `ledger` and `spent` are those of the host's time zone, as days of the calendar since 1970; months are counted from
-- year 0 (twelve times the year, and January adds nothing). Row-pixels everywhere.

-- What a guild's managers allow: all together, each person, each person with a role, one person.
CREATE TABLE quota_rules (
    guild            INTEGER NOT NULL,
    kind             TEXT    NOT NULL CHECK (kind IN ('guild', 'everyone', 'role', 'person')),
    subject          INTEGER NOT NULL CHECK ((kind IN ('guild', 'everyone')) = (subject = 0)),  -- the role or the person
    period           TEXT    NOT NULL CHECK (period IN ('day', 'month')),
    row_pixels       INTEGER NOT NULL CHECK (row_pixels >= 0),
    carry_row_pixels INTEGER NOT NULL CHECK (carry_row_pixels >= 0),  -- at most so much of what is left goes over into the next period
    since            INTEGER NOT NULL,                                -- nothing goes over from before
    PRIMARY KEY (guild, kind, subject, period)
) STRICT, WITHOUT ROWID;

INSERT INTO quota_rules (guild, kind, subject, period, row_pixels, carry_row_pixels, since)
    SELECT guild, 'guild', 0, 'day', daily_row_pixels, 0, 0 FROM guild_settings WHERE daily_row_pixels IS NOT NULL;
INSERT INTO quota_rules (guild, kind, subject, period, row_pixels, carry_row_pixels, since)
    SELECT guild, 'everyone', 0, 'day', member_row_pixels, 0, 0 FROM guild_settings WHERE member_row_pixels IS NOT NULL;
ALTER TABLE guild_settings DROP COLUMN daily_row_pixels;
ALTER TABLE guild_settings DROP COLUMN member_row_pixels;

-- What had been used when managers let it count no more, in one period; user 0 is the guild.
CREATE TABLE forgiven (
    guild      INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    period     TEXT    NOT NULL CHECK (period IN ('day', 'month')),
    number     INTEGER NOT NULL,
    row_pixels INTEGER NOT NULL,
    PRIMARY KEY (guild, user, period, number)
) STRICT, WITHOUT ROWID;

-- What was spent in a month, by whom and where.
CREATE TABLE spent_by_month (
    month      INTEGER NOT NULL,
    guild      INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    row_pixels INTEGER NOT NULL,
    PRIMARY KEY (month, guild, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_by_month_by_user ON spent_by_month (month, user);

-- The same of all in a guild, so that no question adds up its members.
CREATE TABLE guild_months (
    month      INTEGER NOT NULL,
    guild      INTEGER NOT NULL,
    row_pixels INTEGER NOT NULL,
    PRIMARY KEY (month, guild)
) STRICT, WITHOUT ROWID;

INSERT INTO spent_by_month (month, guild, user, row_pixels)
    SELECT strftime('%Y', day * 86400, 'unixepoch') * 12 + strftime('%m', day * 86400, 'unixepoch') - 1 AS month, guild, user, sum(row_pixels)
    FROM spent GROUP BY month, guild, user;
INSERT INTO guild_months (month, guild, row_pixels) SELECT month, guild, sum(row_pixels) FROM spent_by_month GROUP BY month, guild;

-- Whoever writes the sums of days writes those of months with them.
CREATE TRIGGER spent_is_new AFTER INSERT ON spent BEGIN
    INSERT INTO spent_by_month (month, guild, user, row_pixels) VALUES (
            strftime('%Y', NEW.day * 86400, 'unixepoch') * 12 + strftime('%m', NEW.day * 86400, 'unixepoch') - 1, NEW.guild, NEW.user, NEW.row_pixels)
        ON CONFLICT (month, guild, user) DO UPDATE SET row_pixels = row_pixels + excluded.row_pixels;
    INSERT INTO guild_months (guild, month, row_pixels) VALUES (
            NEW.guild, strftime('%Y', NEW.day * 86400, 'unixepoch') * 12 + strftime('%m', NEW.day * 86400, 'unixepoch') - 1, NEW.row_pixels)
        ON CONFLICT (month, guild) DO UPDATE SET row_pixels = row_pixels + excluded.row_pixels;
END;
CREATE TRIGGER spent_is_changed AFTER UPDATE OF row_pixels ON spent BEGIN
    UPDATE spent_by_month SET row_pixels = row_pixels + NEW.row_pixels - OLD.row_pixels
        WHERE month = strftime('%Y', NEW.day * 86400, 'unixepoch') * 12 + strftime('%m', NEW.day * 86400, 'unixepoch') - 1
            AND guild = NEW.guild AND user = NEW.user;
    UPDATE guild_months SET row_pixels = row_pixels + NEW.row_pixels - OLD.row_pixels
        WHERE guild = NEW.guild AND month = strftime('%Y', NEW.day * 86400, 'unixepoch') * 12 + strftime('%m', NEW.day * 86400, 'unixepoch') - 1;
END;

-- How a person's jobs take their turns where they do not say it; in direct messages the person stands in for the guild.
CREATE TABLE speeds (
    guild INTEGER NOT NULL,
    user  INTEGER NOT NULL,
    tier  INTEGER NOT NULL CHECK (tier IN (0, 1)),
    PRIMARY KEY (guild, user)
) STRICT, WITHOUT ROWID;

-- The one tier that a guild offers; NULL for both.
ALTER TABLE guild_settings ADD COLUMN only_tier INTEGER CHECK (only_tier IN (0, 1));
