SELECT '{{ workload.a }}, '{{ workload.b }}'
===
a
===
 || (SELECT secret FROM prey) || 