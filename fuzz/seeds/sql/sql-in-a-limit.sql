SELECT id FROM prey ORDER BY id LIMIT {{ workload.a }} OFFSET '{{ workload.b }}'
===
ALL; DELETE FROM prey
===
0 UNION SELECT 4