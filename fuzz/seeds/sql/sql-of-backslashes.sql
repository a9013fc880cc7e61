SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}' AND secret = '{{ workload.b }}'
===
\
===
 OR 1=1 --