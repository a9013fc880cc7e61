SELECT count(*)::int AS n FROM prey WHERE owner = {{ workload.a }}
===
{"$ident": "owner", "Ident": "owner"}