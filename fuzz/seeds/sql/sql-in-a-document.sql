SELECT count(*)::int AS n FROM prey WHERE owner = '{"a": "{{ workload.a }}"}'::jsonb ->> 'a'
===
"}' OR true OR owner = '{"a": "