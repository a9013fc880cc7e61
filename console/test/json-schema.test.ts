import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, stringify } from "../src/api/json";
import { fieldsIn, isGroup, partOf } from "../src/form/json-schema";
import { startOf, valueOf, type Errors } from "../src/form/values";

const SCHEMA = {
  type: "object",
  required: ["city", "unit", "place"],
  properties: {
    city: { type: "string", description: "Which city", format: "hostname" },
    unit: { enum: ["km", "mi", null, 3] },
    limit: { type: "integer", minimum: 1, maximum: 9, default: 5 },
    ratio: { type: ["number", "null"] },
    exact: { type: "boolean" },
    loud: { type: "boolean", default: false },
    tags: { type: "array", items: { type: "string" } },
    marks: { type: "array", items: { type: "integer" } },
    rows: { type: "array", items: { type: "object" } },
    free: { type: "object" },
    any: {},
    several: { type: ["string", "integer"] },
    place: { type: "object", required: ["lat"], properties: { lat: { type: "number" }, lon: { type: "number" } } },
    near: { type: "object", required: ["lat"], properties: { lat: { type: "number" }, name: { type: "string", default: "x" } } },
  },
};

/** What the form gives for what is typed, by the fields' ids. */
function typed(schema: unknown, texts: Record<string, string>) {
  const part = partOf(schema, "args");
  const inputs = startOf([part]);
  for (const [id, text] of Object.entries(texts)) {
    assert.ok(inputs[id], `there is a field ${id}`);
    inputs[id] = { ...inputs[id]!, text };
  }
  const errors: Errors = {};
  return { value: valueOf(part, inputs, errors), errors };
}

const GOOD = { "/city": "Ulm", "/unit": '"km"', "/place/lat": "52.5" };

test("each property gets the input for its type", () => {
  assert.deepEqual(fieldsIn(partOf(SCHEMA, "args")).map(({ id, kind, hint }) => [id, kind, hint]), [
    ["/city", "text", "Text, hostname"], ["/unit", "choice", "Choice"],
    ["/limit", "number", "Integer, 1 to 9"], ["/ratio", "number", "Number"],
    ["/exact", "choice", "Yes or no"], ["/loud", "boolean", "Yes or no"],
    ["/tags", "lines", "Texts, one on each line"], ["/marks", "lines", "Integers, one on each line"],
    ["/rows", "json", "List, as JSON"], ["/free", "json", "Mapping, as JSON"], ["/any", "json", "JSON"],
    ["/several", "json", "JSON"],
    ["/place/lat", "number", "Number"], ["/place/lon", "number", "Number"],
    ["/near/lat", "number", "Number"], ["/near/name", "text", "Text"],
  ]);
});

test("what is not filled in is left out", () => {
  assert.deepEqual(typed(SCHEMA, GOOD), { value: { city: "Ulm", unit: "km", place: { lat: 52.5 } }, errors: {} });
});

test("what is filled in has its type", () => {
  const { value, errors } = typed(SCHEMA, {
    ...GOOD, "/unit": "3", "/limit": "9", "/ratio": "-1e3", "/exact": "false", "/loud": "true", "/tags": "a\n\n b",
    "/marks": "1\n2", "/rows": "[{}]", "/free": `{"a": 1}`, "/any": "null", "/several": `"x"`, "/near/lat": "1",
  });
  assert.deepEqual(errors, {});
  assert.deepEqual(value, {
    city: "Ulm", unit: 3, limit: 9, ratio: -1000, exact: false, loud: true, tags: ["a", " b"], marks: [1, 2],
    rows: [{}], free: { a: 1 }, any: null, several: "x", place: { lat: 52.5 }, near: { lat: 1 },
  });
});

test("what is required is asked for at its field, in an optional object only once it is begun", () => {
  const required = "This is required.";
  assert.deepEqual(typed(SCHEMA, {}).errors, { "/city": required, "/unit": required, "/place/lat": required });
  assert.deepEqual(typed(SCHEMA, { ...GOOD, "/near/name": "here" }).errors, { "/near/lat": required });
});

test("a mistake in the type is told at its field", () => {
  for (const [id, text, told] of [
    ["/limit", "x", /no number/], ["/limit", "1.5", /no integer/], ["/limit", "0", /less than 1/],
    ["/limit", "10", /more than 9/], ["/marks", "1\nx", /Line 2: .*no number/], ["/marks", "1.5", /Line 1: .*no integer/],
    ["/rows", "{}", /no list/], ["/free", "[]", /no mapping/], ["/any", "{", /no JSON/],
  ] as const) {
    const { errors, value } = typed(SCHEMA, { ...GOOD, [id]: text });
    assert.deepEqual(Object.keys(errors), [id], `${id} ${text}`);
    assert.match(errors[id]!, told);
    assert.deepEqual(Object.keys(value as object), ["city", "unit", "place"], "it is left out");
  }
});

test("a template stands for a value of any type", () => {
  const template = "{{ workload.n }}";
  const { value, errors } = typed(SCHEMA, { ...GOOD, "/limit": ` ${template}`, "/tags": template, "/free": template });
  assert.deepEqual(errors, {});
  assert.deepEqual(value, { city: "Ulm", unit: "km", place: { lat: 52.5 }, limit: template, tags: template, free: template });
});

test("a default stands in its field, and is written only where the field is required", () => {
  const properties = { n: { type: "integer", default: 3 }, u: { enum: ["a", "b"], default: "b" }, bad: { type: "integer", default: "x" } };
  const part = partOf({ properties }, "args");
  assert.deepEqual(Object.values(startOf([part])).map(({ text }) => text), ["3", `"b"`, ""]);
  assert.deepEqual(typed({ properties }, {}).value, {});
  assert.deepEqual(typed({ properties, required: ["n", "u"] }, {}).value, { n: 3, u: "b" });
  assert.deepEqual(typed({ properties, required: ["bad"] }, {}).errors, { "/bad": "This is required." });
});

test("references inside of the schema and alternatives to null are followed", () => {
  const schema = {
    $defs: {
      "a/b": { type: "string", enum: ["x", "y"] },
      Mode: { oneOf: [{ const: "fast", description: "Quick" }, { const: "slow" }] },
      Deep: { type: "object", properties: { deeper: { $ref: "#/$defs/Deep" } } },
    },
    properties: {
      one: { $ref: "#/$defs/a~1b", description: "Its own words" },
      two: { anyOf: [{ $ref: "#/$defs/Mode" }, { type: "null" }], default: null },
      three: { $ref: "#/$defs/Deep" },
      four: { $ref: "https://example.com/schema" },
      five: { $ref: "#/$defs/none" },
    },
  };
  const fields = fieldsIn(partOf(schema, "args"));
  assert.deepEqual(fields.map(({ id, kind, choices }) => [id, kind, choices]), [
    ["/one", "choice", [`"x"`, `"y"`]], ["/two", "choice", [`"fast"`, `"slow"`]],
    ["/three/deeper/deeper", "json", undefined], ["/four", "json", undefined], ["/five", "json", undefined],
  ]);
  assert.equal(fields[0]!.description, "Its own words");
});

test("a schema that says nothing of properties, or too much, is one field for a mapping", () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, {}]));
  for (const schema of [undefined, null, true, {}, { type: "object" }, { $ref: "#" }, { properties: many }, { oneOf: [{}, {}] }]) {
    const part = partOf(schema, "args");
    assert.ok(!isGroup(part), JSON.stringify(schema)?.slice(0, 50));
    assert.deepEqual(typed(schema, { "": `{"a": [1]}` }), { value: { a: [1] }, errors: {} });
    assert.match(typed(schema, { "": "1" }).errors[""]!, /no mapping/);
    assert.equal(typed(schema, {}).value, undefined);
  }
});

test("a property may have any name", () => {
  const schema = parse(`{"properties": {"__proto__": {"type": "string"}, "a/b": {"type": "integer"}}}`);
  const { value } = typed(schema, { "/__proto__": "x", "/a~1b": "18446744073709551615" });
  assert.equal(stringify(value), `{"__proto__":"x","a/b":18446744073709551615}`);
});
