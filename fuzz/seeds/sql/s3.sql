INSERT INTO t VALUES ('{{ workload.a }}', {{ workload.b }}) ON CONFLICT DO NOTHING RETURNING *
===
O'Brien
===
'); DROP TABLE x; --