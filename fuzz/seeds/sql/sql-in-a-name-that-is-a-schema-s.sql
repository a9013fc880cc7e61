SELECT count(*)::int AS n FROM {{ workload.a | ident }}
===
pg_catalog.pg_authid