import assert from "node:assert/strict";
import { test } from "node:test";
import { readDiff } from "../src/source/diff";
import { blockLines, tokens } from "../src/source/highlight";

const colours = (line: string) => tokens(line, false).map(({ colour, text }) => [colour, text]);

test("keys, values, texts, templates and comments", () => {
  assert.deepEqual(colours("- name: \"a {{ b }} c\"  # why"), [
    ["mark", "- "], ["key", "name"], ["plain", ": "], ["text", "\"a "], ["template", "{{ b }}"],
    ["text", " c\""], ["plain", "  "], ["comment", "# why"],
  ]);
  assert.deepEqual(colours("  times: 3"), [["plain", "  "], ["key", "times"], ["plain", ": "], ["value", "3"]]);
});

test("the tokens of a line give the line", () => {
  for (const line of ["", "a: |", "\"", "{{", "'x", "- - {a: 1, b: [true, ~]}", "x".repeat(5_000), "# {{ a }}"]) {
    for (const inBlock of [true, false]) assert.equal(tokens(line, inBlock).map(({ text }) => text).join(""), line);
  }
});

test("a block is what stands further to the right than its key", () => {
  const lines = ["- step: a", "  code: |", "    def main():", "", "      return 1", "  args: >-", "    x", "- step: b"];
  assert.deepEqual(blockLines(lines), [false, false, true, true, true, false, true, false]);
});

test("the key of a block may follow a dash", () => {
  assert.deepEqual(blockLines(["- code: |", "    x", "  tool: python"]), [false, true, false]);
  assert.deepEqual(blockLines(["- |", "  x", "- y"]), [false, true, false]);
});

test("a unified diff, with lines that look like its marks", () => {
  const diff = "--- v1\n+++ v2\n@@ -1,3 +1,3 @@\n same\n--- x\n+++ y\n last\n\\ No newline at end of file\n";
  assert.deepEqual(readDiff(diff).map(({ kind, before, after, text }) => [kind, before, after, text]), [
    ["file", null, null, "--- v1"],
    ["file", null, null, "+++ v2"],
    ["hunk", null, null, "@@ -1,3 +1,3 @@"],
    ["same", 1, 1, "same"],
    ["removed", 2, null, "-- x"],
    ["added", null, 2, "++ y"],
    ["same", 3, 3, "last"],
    ["file", null, null, "\\ No newline at end of file"],
  ]);
});
