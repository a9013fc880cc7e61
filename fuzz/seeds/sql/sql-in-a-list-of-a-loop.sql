SELECT count(*)::int AS n FROM prey WHERE owner IN ({% for x in workload.as %}'{{ x }}'{{ ', ' if not loop.last }}{% endfor %})
===
["a') OR ('1'='1", "b'); DROP TABLE prey; --"]