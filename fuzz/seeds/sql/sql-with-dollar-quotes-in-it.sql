SELECT count(*)::int AS n FROM prey WHERE owner = '{{ workload.a }}' AND secret = $q$x$q$
===
$q$ OR true OR owner = $q$