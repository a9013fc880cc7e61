#!/usr/bin/env python3
"""Writes docs/tools-reference.md, the reference of noetl:tool, from its WIT.

    scripts/wit-docs.py            writes it
    scripts/wit-docs.py --check    ends with an error if it is not up to date
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIT = ROOT / "wit/0.2/tool.wit"
PAGE = ROOT / "docs/tools-reference.md"

HEAD = """# Reference of noetl:tool

Everything that a tool in any language can call, and how it is called. [The guide](tools.md)
shows how. This page is written from [`wit/0.2/tool.wit`](../wit/0.2/tool.wit) by
`scripts/wit-docs.py`.
"""


def split(lines):
    """Yields the comment and the lines of each item, up to its last bracket."""
    comment, item, depth = [], [], 0
    for line in lines:
        text = line.strip()
        if not item and text.startswith("///"):
            comment.append(text[3:].removeprefix(" "))
            continue
        if not item and not text:
            continue
        item.append(line)
        code = text.split("//")[0]
        depth += code.count("{") - code.count("}")
        # `use types.{json};` and functions are done with their line.
        if depth == 0 and code.rstrip().endswith(("}", ";")):
            yield comment, item
            comment, item = [], []


def dedent(lines, by):
    return [line[by:].rstrip() if line[:by].isspace() else line.rstrip() for line in lines]


def name(item):
    """What an item is, and what it is called."""
    head = item[0].strip()
    if found := re.match(r"(type|record|variant|enum|resource|flags) %?([\w-]+)", head):
        return found.group(1), found.group(2)
    if found := re.match(r"(?:export )?%?([\w-]+): func", head):
        return "function", found.group(1)
    return None, head


def interface(item):
    """The sections of an interface's items."""
    for comment, part in split(item[1:-1]):
        kind, called = name(part)
        if kind is None:
            continue
        yield f"### {called} ({kind})\n"
        if comment:
            yield "\n".join(comment) + "\n"
        yield "\n".join(["```wit", *dedent(part, 4), "```"]) + "\n"


def page():
    yield HEAD
    worlds = []
    for comment, item in split(WIT.read_text().splitlines()):
        kind, _, rest = item[0].partition(" ")
        called = rest.split(" ")[0].rstrip(";{")
        if kind == "package":
            yield f"`{called}`: " + "\n".join(comment) + "\n"
        elif kind == "interface":
            yield f"## {called}\n"
            yield "\n".join(comment) + "\n"
            yield from interface(item)
        elif kind == "world":
            worlds.append((called, comment, item))
    yield "## Worlds\n"
    yield "What a component can be. `noetl tool build` chooses `tool` for Python, JavaScript and C.\n"
    for called, comment, item in worlds:
        yield f"### {called} (world)\n"
        yield "\n".join(comment) + "\n"
        yield "\n".join(["```wit", *item, "```"]) + "\n"


def main():
    text = "\n".join(page())
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != text:
            sys.exit(f"error: {PAGE.relative_to(ROOT)} is not what {WIT.relative_to(ROOT)} says\n"
                     "  hint: write it again with scripts/wit-docs.py")
    else:
        PAGE.write_text(text)


main()
