WITH x AS (SELECT '{{ workload.a }}%'::text) UPDATE t SET a = {{ workload.b }} WHERE a LIKE 'x'
===
O'Brien
===
'); DROP TABLE x; --