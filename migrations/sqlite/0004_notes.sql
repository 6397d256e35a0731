-- What the person who asked should know of a job's pictures, as JSON; NULL where there is nothing.
ALTER TABLE jobs ADD COLUMN notes TEXT CHECK (notes IS NULL OR json_valid(notes));
