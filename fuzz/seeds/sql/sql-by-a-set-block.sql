{% set x %}{{ workload.a }}{% endset %}SELECT {{ x }}
===
1