"""The tool acme/csv-report: groups the lines of a CSV text and adds up a column.

Amounts are decimal numbers: no cent is lost, and they leave as texts.
"""

import csv
import io
from decimal import Decimal, InvalidOperation
from statistics import mean, median

import noetl


@noetl.tool
def run(args, config):
    by, what = args["group_by"], args["sum"]
    groups = {}
    for line, row in _lines(args["csv"], config.get("delimiter", ","), by, what):
        groups.setdefault(row[by], []).append(_amount(row[what], what, line))
    noetl.log(f"{sum(map(len, groups.values()))} lines in {len(groups)} groups")
    rows = [
        {
            by: group,
            "count": len(amounts),
            "sum": sum(amounts),
            "mean": round(mean(amounts), 2),
            "median": round(median(amounts), 2),
        }
        for group, amounts in groups.items()
    ]
    rows.sort(key=lambda row: (-row["sum"], row[by]))
    return {"rows": rows, "total": sum((row["sum"] for row in rows), Decimal(0))}


def _lines(text, delimiter, *needed):
    """The number of each line and its fields by the names in the first one."""
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = reader.fieldnames or []
        for name in needed:
            if name not in names:
                raise noetl.InvalidInput(f"the CSV has no column `{name}`, only {', '.join(names)}")
        for row in reader:
            if None in row or None in row.values():
                raise noetl.InvalidInput(
                    f"line {reader.line_num} does not have {len(names)} fields, as the first one"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise noetl.InvalidInput(f"line {reader.line_num} is no CSV: {error}") from None


def _amount(text, column, line):
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise noetl.InvalidInput(f"line {line}: `{column}` is no number: {text!r}")
    return amount
