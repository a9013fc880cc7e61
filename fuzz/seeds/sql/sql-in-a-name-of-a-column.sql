SELECT count(*)::int AS {{ workload.a | ident }} FROM prey WHERE false
===
a", secret AS "b