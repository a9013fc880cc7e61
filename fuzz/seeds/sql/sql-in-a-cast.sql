SELECT '1'::{{ workload.a }}
===
int; DROP TABLE prey