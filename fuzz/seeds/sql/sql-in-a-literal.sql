SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}'
===
'; DROP TABLE prey; --