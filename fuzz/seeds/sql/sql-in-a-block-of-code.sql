DO $$ BEGIN EXECUTE '{{ workload.a }}'; END $$
===
DROP TABLE prey