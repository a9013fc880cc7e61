import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExecutionEvent, Next, PlaybookStep, Status, StepRun } from "../src/api/types";
import { belowWorkflow, buildGraph, marksOf } from "../src/graph/model";

const ways = (next: Partial<Next>[]) =>
  next.map((each): Next => ({ when: null, line: 1, then: [], default: false, ...each }));
const step = (
  name: string, tool: string | null, next: Partial<Next>[], part: Partial<PlaybookStep> = {},
): PlaybookStep => ({
  name, tool, line: 1, task: null, description: null, vars: [], code_line: null, calls: null, loop: null,
  attempts: null, join: null, sink: null, finally: false, next: ways(next), on_error: [], ...part,
});

const run = (name: string, status: Status): StepRun => ({
  step: name, tool: "python", status, started_at: "2026-01-01T00:00:00Z", finished_at: null,
  duration_ms: null, cpu_ms: null, queued_ms: null, memory_bytes: null, host_calls: null,
  attempts: null, items: null, items_finished: 0, error: null,
});

const finished = (seq: number, name: string, next: string[], status = "success"): ExecutionEvent => ({
  seq, at: "2026-01-01T00:00:00Z", event: "step_finished", step: name, data: { next, status },
});

const LOGIN = [
  step("start", null, [{ then: ["decode"] }]),
  step("decode", "python", [
    { when: "{{ vars.ok }}", then: ["save", "log"] },
    { then: ["refuse"], default: true },
  ]),
  step("save", "postgres", [{ then: ["end"] }]),
  step("log", "python", [{ then: ["end"] }]),
  step("refuse", "python", [{ then: ["end"] }]),
  step("end", null, []),
];

const states = (graph: ReturnType<typeof buildGraph>) =>
  Object.fromEntries(graph.nodes.map((node) => [node.name, node.state]));
const taken = (graph: ReturnType<typeof buildGraph>) =>
  graph.edges.filter((edge) => edge.taken).map((edge) => `${edge.from}>${edge.to}`);

test("a playbook by itself: every way, and how it is chosen", () => {
  const graph = buildGraph(LOGIN, null);
  assert.deepEqual(graph.edges.map(({ from, to, kind, when }) => [from, to, kind, when]), [
    ["start", "decode", "always", null],
    ["decode", "save", "when", "{{ vars.ok }}"],
    ["decode", "log", "when", "{{ vars.ok }}"],
    ["decode", "refuse", "default", null],
    ["save", "end", "always", null],
    ["log", "end", "always", null],
    ["refuse", "end", "always", null],
  ]);
  assert.deepEqual(taken(graph), []);
  assert.ok(graph.nodes.every((node) => node.state === "idle"));
});

test("an execution: what ran, and the ways that were taken", () => {
  const graph = buildGraph(LOGIN, {
    steps: [run("decode", "success"), run("save", "running"), run("log", "failed")],
    events: [finished(2, "decode", ["save", "log"])],
  });
  assert.deepEqual(states(graph), {
    start: "passed", decode: "success", save: "running", log: "failed", refuse: "idle", end: "idle",
  });
  assert.deepEqual(taken(graph), ["start>decode", "decode>save", "decode>log"]);
});

test("the end is passed when a way leads there", () => {
  const graph = buildGraph(LOGIN, {
    steps: [run("decode", "success"), run("refuse", "success")],
    events: [finished(2, "decode", ["refuse"]), finished(4, "refuse", ["end"])],
  });
  assert.equal(states(graph).end, "passed");
  assert.deepEqual(taken(graph), ["start>decode", "decode>refuse", "refuse>end"]);
});

test("where a step without a tool led is told by what ran", () => {
  const steps = [
    step("start", null, [{ when: "{{ a }}", then: ["one"] }, { then: ["two"], default: true }]),
    step("one", "python", []),
    step("two", "python", []),
  ];
  const graph = buildGraph(steps, { steps: [run("two", "success")], events: [] });
  assert.deepEqual(taken(graph), ["start>two"]);
});

test("a step that ran several times shows its last run", () => {
  const graph = buildGraph(LOGIN, { steps: [run("decode", "interrupted"), run("decode", "success")], events: [] });
  const decode = graph.nodes.find((node) => node.name === "decode")!;
  assert.equal(decode.state, "success");
  assert.equal(decode.runs, 2);
});

test("without its playbook an execution shows the steps that ran", () => {
  const graph = buildGraph([], {
    steps: [run("a", "success"), run("b", "failed")],
    events: [finished(2, "a", ["b"])],
  });
  assert.deepEqual(states(graph), { a: "success", b: "failed" });
  assert.deepEqual(taken(graph), ["a>b"]);
});

test("a circle ends, and names may be anything", () => {
  const steps = [
    step("start", null, [{ then: ["__proto__"] }]),
    step("__proto__", null, [{ then: ["start", "constructor"] }]),
    step("constructor", null, []),
  ];
  const graph = buildGraph(steps, { steps: [], events: [] });
  assert.ok(graph.nodes.every((node) => node.state === "passed"));
});

const CAUTIOUS = [
  step("start", null, [{ then: ["pay"] }]),
  step("pay", "http", [{ then: ["end"] }], {
    on_error: ways([{ when: "{{ error.code == 'full' }}", then: ["later"] }, { then: ["end"], default: true }]),
  }),
  step("later", "python", [{ then: ["end"] }]),
  step("end", null, []),
  step("tell", "python", [], { finally: true }),
  step("close", null, [], { finally: true }),
];

test("the ways of failures are ways of their own, and finally stands below the ends", () => {
  const graph = buildGraph(CAUTIOUS, null);
  const kinds = graph.edges.map(({ from, to, kind, error }) => `${from}>${to} ${kind}${error ? " on error" : ""}`);
  assert.deepEqual(kinds, [
    "start>pay always", "pay>end always", "pay>later when on error", "pay>end default on error",
    "later>end always", "tell>close then",
  ]);
  assert.deepEqual(belowWorkflow(graph), [{ from: "end", to: "tell" }]);
  assert.deepEqual(belowWorkflow(buildGraph(LOGIN, null)), []);
});

test("a step that failed took its way on error, not the other to the same step", () => {
  const graph = buildGraph(CAUTIOUS, {
    steps: [run("pay", "failed"), run("tell", "success")],
    events: [
      finished(2, "pay", ["end"], "failed"),
      { seq: 3, at: "2026-01-01T00:00:00Z", event: "finally_started", data: { failure: null } },
    ],
  });
  const went = graph.edges.filter((edge) => edge.taken).map(({ from, to, error }) => [from, to, error]);
  assert.deepEqual(went, [["start", "pay", false], ["pay", "end", true], ["tell", "close", false]]);
  assert.equal(states(graph).close, "passed");
  assert.equal(states(graph).later, "idle");
});

test("what a step does beside its tool is told in words", () => {
  const busy = step("a", "http", [], {
    loop: { element: "x", concurrency: 10, continues: false }, attempts: 3, join: "any", sink: "shop.prices",
  });
  assert.deepEqual(marksOf(busy), ["loop ×10", "retry 3", "join any", "sink shop.prices"]);
  assert.deepEqual(marksOf(CAUTIOUS[0]!), []);
});
