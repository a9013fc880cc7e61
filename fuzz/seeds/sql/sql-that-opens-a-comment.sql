SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}' AND owner = {{ workload.b }} AND secret = 'x'
===
ann'/*
===
*/--