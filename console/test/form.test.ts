import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, stringify } from "../src/api/json";
import { fieldsOf, inputsOf, payloadOf, readJson, type Inputs } from "../src/form/model";

const WORKLOAD = {
  name: "World", times: 3, ratio: 0.5, loud: false, tags: ["a"], options: { deep: { x: 1 }, y: 2 },
  note: null, api_key: "k",
};
const FIELDS = fieldsOf(WORKLOAD);

const fill = (changes: Record<string, string>): Inputs => {
  const inputs = inputsOf(FIELDS);
  for (const [name, text] of Object.entries(changes)) inputs[name] = { ...inputs[name]!, text };
  return inputs;
};

test("each default gets the input for its type", () => {
  assert.deepEqual(FIELDS.map(({ name, kind, secret }) => [name, kind, secret]), [
    ["name", "text", false], ["times", "number", false], ["ratio", "number", false],
    ["loud", "boolean", false], ["tags", "json", false], ["options", "json", false],
    ["note", "json", false], ["api_key", "text", true],
  ]);
});

test("what was not changed is not sent", () => {
  assert.deepEqual(payloadOf(FIELDS, inputsOf(FIELDS)), { payload: {}, errors: {}, warnings: {} });
});

test("what was changed is sent with its type", () => {
  const { payload, errors } = payloadOf(FIELDS, fill({
    name: "12", times: " 7 ", ratio: "-1.5e3", loud: "true", tags: "[1, null]", note: "\"x\"",
  }));
  assert.deepEqual(errors, {});
  assert.deepEqual(payload, { name: "12", times: 7, ratio: -1500, loud: true, tags: [1, null], note: "x" });
});

test("integers keep their digits", () => {
  const { payload } = payloadOf(FIELDS, fill({ times: "18446744073709551615" }));
  assert.equal(stringify(payload), `{"times":18446744073709551615}`);
  assert.match(payloadOf(FIELDS, fill({ times: "18446744073709551616" })).errors.times!, /have to be text/);
});

test("mistakes are told by field", () => {
  const { errors } = payloadOf(FIELDS, fill({ times: "seven", ratio: "", tags: "[1,\n 2,, 3]" }));
  assert.deepEqual(Object.keys(errors), ["times", "ratio", "tags"]);
  assert.match(errors.tags!, /line 2, column 4/);
  for (const text of ["0x10", "1_000", "Infinity", "01", "1e999", ".5"]) {
    assert.ok(payloadOf(FIELDS, fill({ times: text })).errors.times, text);
  }
});

test("a key that is taken out comes back by the merge, and that is said", () => {
  const { payload, warnings } = payloadOf(FIELDS, fill({ options: `{"deep": 1}` }));
  assert.deepEqual(payload, { options: { deep: 1 } });
  assert.match(warnings.options!, /so y stays/);
});

test("a field may have any name", () => {
  const fields = fieldsOf(parse(`{"__proto__": "a"}`) as Record<string, unknown>);
  const { payload } = payloadOf(fields, Object.defineProperty({}, "__proto__", {
    value: { kind: "text", text: "b" }, enumerable: true,
  }));
  assert.equal(stringify(payload), `{"__proto__":"b"}`);
});

test("an empty text is no JSON", () => {
  assert.throws(() => readJson(" "), /empty/);
});
