SELECT count(*)::int AS n FROM prey WHERE owner = {{ "'" ~ workload.a ~ "'" }} OR owner = {{ [workload.a, workload.a] | join("' OR '") }}
===
x' OR '1'='1