SELECT count(*)::int AS n FROM prey WHERE owner LIKE '{{ workload.a }}_%'
===
%' OR true OR owner LIKE '