-- Whether everybody's pictures may be looked through; NULL is yes.
ALTER TABLE guild_settings ADD COLUMN shares_history INTEGER CHECK (shares_history IN (0, 1));
