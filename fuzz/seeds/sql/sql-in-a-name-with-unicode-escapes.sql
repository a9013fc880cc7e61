SELECT count(*)::int AS {{ workload.a | ident }} FROM prey WHERE false
===
\0022, secret AS \0022 U&"