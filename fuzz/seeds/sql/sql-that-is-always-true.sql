SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}'
===
x' OR '1'='1