SELECT 1 /* a /* b */ c */; SELECT $tag$ ; $tag$, 'it''s'
'more'
===
O'Brien
===
'); DROP TABLE x; --