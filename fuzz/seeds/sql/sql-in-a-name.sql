SELECT 1 AS {{ workload.a | ident }} FROM {{ workload.b | ident }}
===
a", (SELECT secret FROM prey LIMIT 1) AS "b
===
prey" WHERE false; DROP TABLE prey; SELECT "