CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS $f$ SELECT 1; $f$; SELECT f({{ workload.a }})
===
O'Brien
===
'); DROP TABLE x; --