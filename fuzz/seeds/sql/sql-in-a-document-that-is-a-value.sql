SELECT ({{ workload.a }}::jsonb ->> 'a') AS a, count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}'::jsonb ->> 'b'
===
{"a": "'::jsonb; DROP TABLE prey; --", "b": "x' OR '1'='1"}