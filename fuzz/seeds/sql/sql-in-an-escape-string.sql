SELECT count(*)::int AS n FROM prey WHERE owner = E'\n{{ workload.a }}' AND secret = E'{{ workload.b }}'
===
\
===
 OR true; --