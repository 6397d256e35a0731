-- What guilds and Discord took from the bot, until somebody gives it back; body is the fault.
CREATE TABLE standing_faults (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- People who refuse direct messages of the bot.
CREATE TABLE refusals (
    user_id INTEGER PRIMARY KEY
) STRICT;
