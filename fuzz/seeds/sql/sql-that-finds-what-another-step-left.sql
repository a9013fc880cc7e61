SELECT current_setting('noetl.left', true) AS left_behind, to_regclass('auth_users') IS NOT NULL AS "table",
  current_setting('search_path') LIKE '%pg_temp%' AS path, (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
  pg_try_advisory_lock(42) AS lock
