-- What a picture was made with; NULL for pictures that were made before this was kept.
ALTER TABLE images ADD COLUMN model_hash TEXT; -- SHA-256 of the weights, in hex; NULL also where they could not be read
ALTER TABLE images ADD COLUMN engine TEXT;     -- version of the program
ALTER TABLE images ADD COLUMN device TEXT;     -- such as cpu or cuda:0
ALTER TABLE images ADD COLUMN dtype TEXT;      -- such as f32
