SELECT count(*)::int AS n FROM prey WHERE now() < now() - '{{ workload.a }} days'::interval
===
1 day'::interval OR true OR now() > now() - '1