SET search_path TO pg_temp; CREATE TEMP TABLE auth_users (x int); LISTEN everything;
SELECT pg_advisory_lock(42); SELECT set_config('noetl.left', 'behind', false)
