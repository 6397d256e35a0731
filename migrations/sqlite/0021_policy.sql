-- Who may draw, where, with which models, how much at once and how often, as people who manage a guild say it; guild 0 is everywhere.
CREATE TABLE draw_rules (
    guild      INTEGER NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('everyone', 'channel', 'role', 'person')),
    subject    INTEGER NOT NULL CHECK ((kind = 'everyone') = (subject = 0)),
    may_draw   INTEGER CHECK (may_draw IN (0, 1)),   -- NULL says nothing, here and below
    models     TEXT,                                 -- a JSON list of names
    row_pixels INTEGER CHECK (row_pixels >= 0),      -- the most of one job
    pause_ms   INTEGER CHECK (pause_ms >= 0),        -- between two jobs of a person
    is_adult   INTEGER CHECK (is_adult IN (0, 1)),   -- whether models for adults may be drawn with
    PRIMARY KEY (guild, kind, subject)
) STRICT, WITHOUT ROWID;

-- Rises with every change of a rule, so that a job that was judged by older ones is not taken.
CREATE TABLE rules_revision (
    number INTEGER NOT NULL
) STRICT;

INSERT INTO rules_revision (number) VALUES (1);

CREATE TRIGGER draw_rule_is_new AFTER INSERT ON draw_rules BEGIN
    UPDATE rules_revision SET number = number + 1;
END;
CREATE TRIGGER draw_rule_is_changed AFTER UPDATE ON draw_rules BEGIN
    UPDATE rules_revision SET number = number + 1;
END;
CREATE TRIGGER draw_rule_is_gone AFTER DELETE ON draw_rules BEGIN
    UPDATE rules_revision SET number = number + 1;
END;

-- When a person last came in with a job where a pause is asked for.
CREATE TABLE paused (
    guild INTEGER NOT NULL,
    user  INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (guild, user)
) STRICT, WITHOUT ROWID;

-- Who changed what, and who was refused; bounded for each guild and by age.
CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    guild     INTEGER NOT NULL,
    user      INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    is_change INTEGER NOT NULL CHECK (is_change IN (0, 1)),
    what      TEXT    NOT NULL                       -- JSON
) STRICT;

CREATE INDEX audit_by_guild ON audit (guild, is_change, seq);
CREATE INDEX audit_by_age ON audit (at);
CREATE INDEX audit_by_user ON audit (user);
