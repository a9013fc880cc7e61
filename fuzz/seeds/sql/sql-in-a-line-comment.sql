SELECT 1 -- {{ workload.a }}

===

; DROP TABLE prey; --