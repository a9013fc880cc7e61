SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a | safe }}'
===
' OR true --