-- What the network gave at each step of a picture, eight bytes a step, the lowest first; NULL where that was not noted.
ALTER TABLE images ADD COLUMN digests BLOB;
