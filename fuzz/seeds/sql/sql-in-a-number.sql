SELECT count(*)::int AS n FROM prey WHERE id = {{ workload.a }}
===
1 OR 1=1