SELECT E'\x1b[2J row \u202e' AS "column"
