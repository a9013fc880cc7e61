SELECT count(*)::int AS n FROM prey WHERE owner = ANY({{ workload.a }}) OR owner = ANY('{{ workload.a }}'::text[])
===
["a'}') OR true --", "\"},{\"", "\\", "NULL", "{ann}"]