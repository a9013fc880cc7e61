import assert from "node:assert/strict";
import { test } from "node:test";
import type { Execution, ExecutionEvent, ExecutionSummary } from "../src/api/types";
import { fold, foldAll } from "../src/execution/fold";
import { matches, merge, update } from "../src/execution/list";

const summary = (id: string, part: Partial<ExecutionSummary> = {}): ExecutionSummary => ({
  execution_id: id, path: "a/b", version: 1, status: "running", started_at: `2026-01-01T00:00:0${id}Z`,
  finished_at: null, started_by: null, rerun_of: null, parent: null,
  parent_step: null, resumed: 0, error: null, step_count: 0, ...part,
});
const ids = (list: ExecutionSummary[]) => list.map((each) => each.execution_id);
const ALL = { status: [], path: "", since: null, until: null, parent: null };

test("pages and news make one list, newest first, each execution once", () => {
  const first = [summary("5"), summary("4")];
  const next = [summary("4"), summary("3")];
  assert.deepEqual(ids(merge(merge(first, next), [summary("6")])), ["6", "5", "4", "3"]);
});

test("old word does not replace newer", () => {
  const ended = summary("1", { status: "success", finished_at: "2026-01-01T00:00:09Z" });
  assert.equal(merge([ended], [summary("1")])[0]!.status, "success");
  assert.equal(merge([summary("1")], [ended])[0]!.status, "success");
  const resumed = summary("1", { resumed: 1 });
  assert.equal(merge([summary("1", { status: "interrupted" })], [resumed])[0]!.status, "running");
  assert.equal(merge([resumed], [summary("1", { status: "interrupted" })])[0]!.status, "running");
});

test("an execution that fits no more leaves the filtered list", () => {
  const filter = { ...ALL, status: ["running"] };
  const list = update([], filter, summary("1"));
  assert.deepEqual(ids(list), ["1"]);
  assert.deepEqual(ids(update(list, filter, summary("1", { status: "failed" }))), []);
  assert.deepEqual(ids(update(list, { ...filter, path: "x" }, summary("2"))), ["1"]);
});

test("filters of path and time", () => {
  assert.ok(matches({ ...ALL, path: "a/" }, summary("1")));
  assert.ok(!matches({ ...ALL, path: "b" }, summary("1")));
  assert.ok(!matches({ ...ALL, parent: "0" }, summary("1")));
  assert.ok(matches({ ...ALL, parent: "0" }, summary("1", { parent: "0" })));
  assert.ok(!matches({ ...ALL, since: "2026-01-01T00:00:02Z" }, summary("1")));
  assert.ok(!matches({ ...ALL, until: "2026-01-01T00:00:01Z" }, summary("1")));
});

const event = (seq: number, name: string, step: string | null, data: Record<string, unknown>): ExecutionEvent =>
  ({ seq, at: `2026-01-01T00:00:0${seq}Z`, event: name, step, data });
const STARTED: Execution = {
  ...summary("1"), payload: {}, result: null, steps: [], events: [event(1, "execution_started", null, {})],
};

test("events bring an execution up to date", () => {
  const done = [
    event(2, "step_started", "a", { tool: "python", task: "t", args: { x: 1 } }),
    event(3, "step_started", "b", { tool: "postgres" }),
    event(4, "step_finished", "a", { tool: "python", status: "success", duration_ms: 5, result: { data: 1 }, log: [] }),
  ].reduce(fold, STARTED);
  assert.deepEqual(done.steps.map(({ step, status }) => [step, status]), [["a", "success"], ["b", "running"]]);
  assert.deepEqual(done.steps[0]!.args, { x: 1 });
  assert.equal(done.steps[0]!.duration_ms, 5);
  assert.equal(done.steps[0]!.finished_at, "2026-01-01T00:00:04Z");
  const ended = fold(done, event(5, "execution_finished", null, { status: "failed" }));
  assert.equal(ended.status, "failed");
  assert.equal(ended.finished_at, "2026-01-01T00:00:05Z");
});

test("an event that comes again changes nothing", () => {
  const once = fold(STARTED, event(2, "step_started", "a", {}));
  assert.equal(fold(once, event(2, "step_started", "a", {})), once);
  assert.equal(fold(once, event(1, "execution_started", null, {})), once);
});

test("a step that runs again is another run", () => {
  const twice = [
    event(2, "step_started", "a", {}),
    event(3, "step_finished", "a", { status: "success" }),
    event(4, "step_started", "a", {}),
  ].reduce(fold, STARTED);
  assert.deepEqual(twice.steps.map(({ status }) => status), ["success", "running"]);
});

test("a resumed execution runs", () => {
  const resumed = fold({ ...STARTED, status: "interrupted" }, event(2, "execution_resumed", null, { steps: ["a"] }));
  assert.equal(resumed.status, "running");
  assert.equal(resumed.resumed, 1);
});

test("attempts and items are counted while they come", () => {
  const steps = [
    event(2, "step_started", "a", { tool: "http", items: 3 }),
    event(3, "attempt_failed", "a", { attempt: 1, index: 0 }),
    event(4, "item_finished", "a", { index: 0, status: "success", log: [{ level: "info", message: "one" }] }),
    event(5, "item_finished", "a", { index: 1, status: "failed", log: [{ level: "info", message: "two" }] }),
  ];
  const before = foldAll(STARTED, steps.slice(0, 2));
  const after = foldAll(before, steps);
  const [run] = after.steps;
  assert.deepEqual([run!.items, run!.items_finished, run!.attempts], [3, 2, 1]);
  assert.deepEqual(run!.log!.map(({ message }) => message), ["one", "two"]);
  // What was shown before is not changed behind its back.
  assert.deepEqual([before.steps[0]!.items_finished, before.events.length], [0, 3]);
  const ended = fold(after, event(6, "step_finished", "a", { status: "failed", attempts: 4, items: 3, log: [] }));
  assert.deepEqual([ended.steps[0]!.attempts, ended.steps[0]!.log!.length, after.steps[0]!.status], [4, 2, "running"]);
});

test("what ran when its server was gone is interrupted", () => {
  const done = [
    event(2, "step_started", "a", {}),
    event(3, "execution_resumed", null, { steps: ["a"] }),
    event(4, "step_started", "a", {}),
    event(5, "step_finished", "a", { status: "success" }),
  ].reduce(fold, STARTED);
  assert.deepEqual(done.steps.map(({ status }) => status), ["interrupted", "success"]);
});
