-- Interactions that were acknowledged, or are about to be, and have neither a job nor an answer yet. A row goes with either of them; what is
-- left by a handler that never ended is answered later, so this table holds no more than what is being handled.
CREATE TABLE received (
    seq           INTEGER PRIMARY KEY,               -- order of arrival
    key           TEXT    NOT NULL UNIQUE,           -- the interaction; also the key of its job
    guild         INTEGER NOT NULL,                  -- who pays
    user          INTEGER NOT NULL,
    channel       INTEGER NOT NULL,
    token         TEXT    NOT NULL,
    token_expires INTEGER NOT NULL,
    wish          TEXT    NOT NULL CHECK (json_valid(wish)),
    created       INTEGER NOT NULL
) STRICT;
