SELECT count(*)::int AS n FROM prey WHERE false {% if workload.a %}OR owner = {{ workload.a }}{% endif %}
===
x OR true