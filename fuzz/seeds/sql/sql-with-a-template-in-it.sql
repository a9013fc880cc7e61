SELECT '{{ workload.a }}' AS x
===
{{ workload.y }} {% for i in range(9) %}y{% endfor %}
===
seen