"""Tests without WebAssembly: python3 -m unittest"""

import unittest

import noetl
from app import run


class Greeting(unittest.TestCase):
    def test_greets(self):
        self.assertEqual(run({"name": "Ada"}, {}), {"text": "Hello, Ada!"})

    def test_greets_nobody(self):
        with self.assertRaisesRegex(noetl.InvalidInput, "who shall be greeted"):
            run({"name": " "}, {})
