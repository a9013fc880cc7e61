SELECT current_user
===
pg_demo