SELECT DATE '{{ workload.a }}', x AT TIME ZONE '{{ workload.b }}'
===
O'Brien
===
'); DROP TABLE x; --