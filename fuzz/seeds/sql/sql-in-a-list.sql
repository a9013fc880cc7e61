SELECT count(*)::int AS n FROM prey WHERE owner IN ({{ workload.a }}, '{{ workload.b }}')
===
'a') OR true OR owner IN ('a'
===
a') OR ('1'='1