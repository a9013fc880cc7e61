import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, stringify } from "../src/api/json";

test("long integers keep their digits, floats stay floats", () => {
  const text = `{"a":9007199254740993,"b":-9223372036854775808,"c":0.1234567890123456,"d":"1234567890123456789"}`;
  const value = parse(text) as Record<string, unknown>;
  assert.equal(value.a, 9007199254740993n);
  assert.equal(value.b, -9223372036854775808n);
  assert.equal(value.c, 0.1234567890123456);
  assert.equal(value.d, "1234567890123456789");
  assert.equal(stringify(value), text);
});

test("a member called __proto__ is a member like any other", () => {
  const value = parse(`{"__proto__": {"x": 9007199254740993}}`) as object;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.keys(value), ["__proto__"]);
});

test("great depth does no harm", () => {
  const text = `${"[".repeat(50_000)}9007199254740993${"]".repeat(50_000)}`;
  let depth = 0;
  for (let value = parse(text); Array.isArray(value); value = value[0]) depth += 1;
  assert.equal(depth, 50_000);
  assert.match(stringify(parse(text)), /too deeply|^\[/);
});
