SELECT U&'{{ workload.a }}'
===
\0027 OR true --