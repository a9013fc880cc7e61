SELECT count(*)::int AS n FROM prey WHERE owner = ANY('{{ workload.a }}'::text[])
===
{x}') OR ('1'='1