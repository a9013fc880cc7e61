SELECT '{{ workload.a }}' AS x, '{{ workload.b }}' AS y
===
$2 $1 ? :y %s @p1
===
secret