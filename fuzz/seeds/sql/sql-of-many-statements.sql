SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}'
===
x'; COMMIT; BEGIN; DROP TABLE prey; COMMIT; --