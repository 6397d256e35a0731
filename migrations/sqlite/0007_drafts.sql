-- What somebody typed and did not get drawn, kept for a day so that they can change it: a refused wish, or a form that is open.
CREATE TABLE drafts (
    seq     INTEGER PRIMARY KEY,                     -- order of arrival
    id      BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    user    INTEGER NOT NULL,                        -- nobody else may open it
    content TEXT    NOT NULL CHECK (json_valid(content)),
    created INTEGER NOT NULL
) STRICT;

CREATE INDEX drafts_by_user ON drafts (user, seq);
CREATE INDEX drafts_by_age ON drafts (created);
