SELECT id FROM prey ORDER BY {{ workload.a | ident }}
===
id; DROP TABLE prey; --