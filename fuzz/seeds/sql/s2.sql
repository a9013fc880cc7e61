SELECT E'\'{{ workload.a }}\n', U&"d\0061t", B'1', 1.5e-3, a::int, b[1:2] FROM t -- x

===
O'Brien
===
'); DROP TABLE x; --