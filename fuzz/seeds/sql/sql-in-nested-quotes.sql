SELECT count(*)::int AS n FROM prey WHERE owner = 'it''s ''{{ workload.a }}'''
===
''' OR true OR owner = '''