import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tool, ToolDocument } from "../src/api/types";
import { fieldsIn } from "../src/form/json-schema";
import { asksOf } from "../src/tools/capabilities";
import { secretWarning, startInputs, stepForm, writeStep } from "../src/tools/step";
import { listed, referenceTo } from "../src/tools/versions";

const TOOL: ToolDocument = {
  name: "acme/geo-code", version: "1.2.0", description: "", digest: "sha256:0", size: 1, imports: [],
  capabilities: { postgres: false, http: [] }, built_in: false, status: "ready", signed: false, granted: true,
  schema: {
    config: {
      type: "object", required: ["unit"],
      properties: { unit: { enum: ["km", "mi"] }, token: { type: "string" }, next: { type: "string" } },
    },
    args: { type: "object", required: ["city"], properties: { city: { type: "string" }, n: { type: "integer" } } },
  },
  versions: [],
};

function written(tool: ToolDocument, config: Record<string, string>, args: Record<string, string>, name?: string) {
  const form = stepForm(tool)!;
  const inputs = startInputs(form, tool.name);
  if (name !== undefined) inputs.name = name;
  for (const [part, texts] of [[inputs.config, config], [inputs.args, args]] as const) {
    for (const [id, text] of Object.entries(texts)) part[id] = { ...part[id]!, text };
  }
  return writeStep(tool, form, inputs);
}

test("the form writes a step", () => {
  assert.deepEqual(written(TOOL, { "/unit": `"km"` }, { "/city": "{{ workload.city }}", "/n": "7" }), {
    yaml: `\
- step: geo_code
  tool: acme/geo-code@1.2.0
  unit: km
  args:
    city: '{{ workload.city }}'
    n: 7
`,
    errors: { name: undefined, config: {}, args: {} },
  });
});

test("a step is written as far as it goes, and mistakes are told at their fields", () => {
  const { yaml, errors } = written(TOOL, {}, { "/n": "many" }, " ");
  assert.equal(yaml, "- step: ' '\n  tool: acme/geo-code@1.2.0\n");
  assert.equal(errors.name, "A step has a name.");
  assert.deepEqual(Object.keys(errors.config), ["/unit"]);
  assert.deepEqual(Object.keys(errors.args), ["/city", "/n"]);
});

test("fields of the step itself are not the tool's", () => {
  const free = { ...TOOL, schema: {} };
  assert.deepEqual(fieldsIn(stepForm(TOOL)!.config).map(({ key }) => key), ["unit", "token"]);
  const { yaml, errors } = written(free, { "": `{"tool": "python", "a": {"b": 1}}` }, { "": `{"c": 2}` });
  assert.equal(yaml, "- step: geo_code\n  tool: acme/geo-code@1.2.0\n  a:\n    b: 1\n  args:\n    c: 2\n");
  assert.match(errors.config[""]!, /of the step itself: tool/);
});

test("a tool that reaches out is asked for its credential", () => {
  const keys = (tool: ToolDocument) => fieldsIn(stepForm(tool)!.config).map(({ id }) => id);
  assert.deepEqual(keys({ ...TOOL, capabilities: { postgres: true } }), ["/unit", "/token", "/auth"]);
  const own = { ...TOOL, capabilities: { http: "any" as const }, schema: { config: { properties: { auth: { type: "string" } } } } };
  assert.deepEqual(keys(own), ["/auth"]);
});

test("the language's own tools have no form, others of the server no version", () => {
  const builtIn = { ...TOOL, name: "python", built_in: true, capabilities: null, schema: null };
  assert.equal(stepForm(builtIn), null);
  assert.equal(referenceTo({ ...TOOL, name: "http", built_in: true }), "http");
});

test("a secret in plain text is warned of", () => {
  const token = fieldsIn(stepForm(TOOL)!.config)[1]!;
  assert.match(secretWarning(token, "abc")!, /for all who may read it/);
  assert.equal(secretWarning(token, "{{ workload.token }}"), undefined);
  assert.equal(secretWarning(token, ""), undefined);
});

test("each tool is listed once, with its newest version", () => {
  const tools: Tool[] = [{ ...TOOL, name: "python" }, { ...TOOL, version: "2.0.0" }, TOOL];
  assert.deepEqual(listed(tools).map(({ newest, versions }) => [newest.name, newest.version, versions]), [
    ["python", "1.2.0", 1], ["acme/geo-code", "2.0.0", 2],
  ]);
});

test("what a tool asks for is held against its imports", () => {
  const asks = (capabilities: Tool["capabilities"], imports: string[]) =>
    asksOf({ capabilities, imports })?.map(({ words, warning }) => [words, warning !== null]);
  assert.equal(asks(null, []), undefined);
  assert.deepEqual(asks({ postgres: false, http: [] }, ["noetl:tool/log@0.2.0"]), []);
  assert.deepEqual(asks({ postgres: true, http: ["a.example", "*.b.example:8443"] }, ["noetl:tool/postgres@0.1.0", "noetl:tool/http@0.2.0"]), [
    ["PostgreSQL, through the credential that a step names", false], ["HTTP, to a.example, *.b.example:8443", false],
  ]);
  assert.deepEqual(asks({ http: "any" }, []), [["HTTP, to every host that this tenant was granted", true]]);
  assert.deepEqual(asks({}, ["noetl:tool/postgres@0.2.0"]), [["Nothing of noetl:tool/postgres", true]]);
});
