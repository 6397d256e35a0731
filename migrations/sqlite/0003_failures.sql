-- Why a job failed is data from here on (storage/src/failure.rs). Sentences of earlier versions named files of the host: what they say is kept
-- where it is one of the few that did not, the rest is erased.
UPDATE jobs SET error = CASE
    WHEN error GLOB 'The drawing was interrupted [0-9]* times.' THEN
        json_object('kind', 'out_of_attempts', 'attempts', CAST(substr(error, 29) AS INTEGER))
    WHEN error = 'The picture that this starts from was deleted.' THEN '{"kind":"source_gone"}'
    WHEN error GLOB 'My disk is nearly full*' THEN '{"kind":"disk_full"}'
    ELSE '{"kind":"untold"}'
END
WHERE error IS NOT NULL;
