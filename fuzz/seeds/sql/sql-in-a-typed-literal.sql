SELECT DATE '{{ workload.a }}'
===
2026-01-01'; DROP TABLE prey; --