SELECT count(*)::int AS n FROM prey WHERE id = '{{ workload.a }}'::int
===
0)::int OR (1=1