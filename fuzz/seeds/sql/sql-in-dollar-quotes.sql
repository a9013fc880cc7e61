SELECT $${{ workload.a }}$$
===
$$; DROP TABLE prey; --