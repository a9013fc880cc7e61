SELECT 1 AS {{ workload.a | ident }}
===
