SELECT * FROM {{ workload.a | ident }}.{{ workload.b | ident }}
===
O'Brien
===
'); DROP TABLE x; --