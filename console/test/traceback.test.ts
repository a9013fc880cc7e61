import assert from "node:assert/strict";
import { test } from "node:test";
import { framesOf, linesNamed } from "../src/traceback";

test("frames as the python tool lists them", () => {
  const frames = framesOf([
    { file: "greet.yaml", line: 9, function: "main", source: "x = f()" },
    { file: "greet.yaml", line: 7, function: null, source: "", column: 3 },
    { file: 5, line: "no" },
    null,
  ]);
  assert.deepEqual(frames, [
    { file: "greet.yaml", line: 9, function: "main", source: "x = f()" },
    { file: "greet.yaml", line: 7, function: null, source: "" },
  ]);
});

test("frames of Python's text", () => {
  const frames = framesOf([
    "Traceback (most recent call last):",
    "  File \"greet.yaml\", line 9, in main",
    "    x = f()",
    "  File \"/lib/json.py\", line 100, in loads",
    "  File \"greet.yaml\", line 7",
    "    return 1 +",
    "KeyError: 'x'",
  ].join("\n"));
  assert.deepEqual(frames, [
    { file: "greet.yaml", line: 9, function: "main", source: "x = f()" },
    { file: "/lib/json.py", line: 100, function: "loads", source: null },
    { file: "greet.yaml", line: 7, function: null, source: "return 1 +" },
  ]);
});

test("what is no traceback has no frames", () => {
  for (const value of [null, undefined, 1, {}, "", "File here, line 3"]) assert.deepEqual(framesOf(value), []);
});

test("a message's places in the playbook's own file", () => {
  assert.deepEqual(linesNamed("KeyError: 'x' (greet.yaml, line 9, in main)", "greet.yaml"), [
    { text: "KeyError: 'x' (", line: null },
    { text: "greet.yaml, line 9", line: 9 },
    { text: ", in main)", line: null },
  ]);
  assert.deepEqual(linesNamed("greet.yaml:12:3: bad", "greet.yaml")[0], { text: "greet.yaml:12", line: 12 });
  assert.deepEqual(linesNamed("greetXyaml:12", "greet.yaml"), [{ text: "greetXyaml:12", line: null }]);
});
