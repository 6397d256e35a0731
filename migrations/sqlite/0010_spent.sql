-- What was spent on a day, by whom and where: sums of the ledger, so that a question for a quota reads a row a person and not one a job.
CREATE TABLE spent (
    day        INTEGER NOT NULL,
    guild      INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    row_pixels INTEGER NOT NULL,
    PRIMARY KEY (day, guild, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_by_user ON spent (day, user);

INSERT INTO spent (day, guild, user, row_pixels) SELECT day, guild, user, sum(row_pixels) FROM ledger GROUP BY day, guild, user;

-- Whoever writes the ledger writes the sums with it.
CREATE TRIGGER ledger_is_spent AFTER INSERT ON ledger BEGIN
    INSERT INTO spent (day, guild, user, row_pixels) VALUES (NEW.day, NEW.guild, NEW.user, NEW.row_pixels)
        ON CONFLICT (day, guild, user) DO UPDATE SET row_pixels = row_pixels + excluded.row_pixels;
END;
CREATE TRIGGER ledger_is_corrected AFTER UPDATE OF row_pixels ON ledger BEGIN
    UPDATE spent SET row_pixels = row_pixels + NEW.row_pixels - OLD.row_pixels WHERE day = NEW.day AND guild = NEW.guild AND user = NEW.user;
END;

DROP INDEX ledger_by_day;
DROP INDEX ledger_by_person;
