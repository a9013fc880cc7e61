SELECT id FROM prey WHERE id < 3 ORDER BY '{{ workload.a }}'::text, id
===
(CASE WHEN (SELECT secret FROM prey WHERE id = 3) > 's' THEN -id ELSE id END)