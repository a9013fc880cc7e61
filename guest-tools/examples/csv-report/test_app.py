"""Tests without WebAssembly: python3 -m unittest"""

import unittest
from decimal import Decimal

import noetl
from app import run

SALES = "city,amount\nBerlin,10.10\nRome,7\nBerlin,20.20\n"


class Report(unittest.TestCase):
    def test_adds_up(self):
        report = run({"csv": SALES, "group_by": "city", "sum": "amount"}, {})
        self.assertEqual([row["city"] for row in report["rows"]], ["Berlin", "Rome"])
        self.assertEqual(report["rows"][0]["sum"], Decimal("30.30"))
        self.assertEqual(report["total"], Decimal("37.30"))

    def test_names_the_line(self):
        args = {"csv": SALES + "Rome,much\n", "group_by": "city", "sum": "amount"}
        with self.assertRaisesRegex(noetl.InvalidInput, "line 5: `amount` is no number: 'much'"):
            run(args, {})


if __name__ == "__main__":
    unittest.main()
