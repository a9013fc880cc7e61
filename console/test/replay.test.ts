import assert from "node:assert/strict";
import { test } from "node:test";
import type { Execution, ExecutionEvent, ExecutionSummary, Replay, Status, StepRun } from "../src/api/types";
import { calledBy, courseOf } from "../src/execution/course";
import { foldAll } from "../src/execution/fold";
import { buildGraph } from "../src/graph/model";
import {
  differencesOf, momentAt, placeOf, placesOf, said, timelineAt, timeOf, varsAfter,
} from "../src/replay/model";
import { buildTimeline } from "../src/timeline/model";

const START = Date.UTC(2026, 0, 1);
const at = (ms: number) => new Date(START + ms).toISOString();

/** A loop whose second item is tried twice, a step that fails, the step after it, `finally`. */
const EVENTS: ExecutionEvent[] = ([
  ["execution_started", null, { path: "a/b", version: 1 }],
  ["step_started", "each", { tool: "http", items: 2 }],
  ["item_finished", "each", { index: 0, status: "success", args: { n: 1 }, result: 10, attempts: 1, log: [] }],
  ["attempt_failed", "each", { attempt: 1, index: 1, wait_ms: 5, error: { category: "failed", kind: "http", message: "503" } }],
  ["item_finished", "each", { index: 1, status: "success", args: { n: 2 }, result: 20, attempts: 2, log: [] }],
  ["step_finished", "each", {
    status: "success", result: [10, 20], vars: { sum: 30, old: 1 }, next: ["pay"], attempts: 3, items: 2,
    sink: { table: "prices", rows: 2 }, duration_ms: 4,
  }],
  ["step_started", "pay", { tool: "python", args: { sum: 30 } }],
  ["step_finished", "pay", { status: "failed", error: { category: "failed", kind: "ValueError", message: "no" }, vars: {}, next: ["each"] }],
  ["step_started", "each", { tool: "http", items: 0 }],
  ["step_finished", "each", { status: "success", result: [], vars: { old: null }, next: [], items: 0 }],
  ["finally_started", null, { failure: null }],
  ["execution_finished", null, { status: "success" }],
] as [string, string | null, Record<string, unknown>][])
  .map(([event, step, data], seq) => ({ seq, at: at(seq * 10), event, step, data }));

const BLANK: Execution = {
  execution_id: "1", path: "a/b", version: 1, status: "running", started_at: at(0), finished_at: null, started_by: null,
  rerun_of: null, parent: null, parent_step: null, resumed: 0, error: null, step_count: 0, payload: {}, result: null,
  steps: [], events: [],
};
const ENDED: Execution = { ...foldAll(BLANK, EVENTS), result: [] };
const statesAt = (n: number) => momentAt(ENDED, n).steps.map(({ step, status }): [string, Status] => [step, status]);

test("the steps at each moment are as far as they were", () => {
  assert.deepEqual(statesAt(0), []);
  assert.deepEqual(statesAt(1), [["each", "running"]]);
  assert.deepEqual(statesAt(5), [["each", "success"]]);
  assert.deepEqual(statesAt(7), [["each", "success"], ["pay", "failed"]]);
  assert.deepEqual(statesAt(8), [["each", "success"], ["pay", "failed"], ["each", "running"]]);
  const [loop] = momentAt(ENDED, 3).steps;
  assert.deepEqual([loop!.items, loop!.items_finished, loop!.attempts, loop!.result], [2, 1, 1, undefined]);
});

test("the last moment is the execution itself", () => {
  assert.deepEqual(momentAt(ENDED, EVENTS.length - 1), ENDED);
  const before = momentAt(ENDED, EVENTS.length - 2);
  assert.deepEqual([before.status, before.result, before.finished_at], ["running", null, null]);
});

test("the graph shows the way that was taken by then", () => {
  const taken = (n: number) =>
    buildGraph([], momentAt(ENDED, n)).edges.map(({ from, to, error }) => [from, to, error]);
  assert.deepEqual(taken(4), []);
  assert.deepEqual(taken(6), [["each", "pay", false]]);
  assert.deepEqual(taken(7), [["each", "pay", false], ["pay", "each", true]]);
});

test("variables are those that were set by then", () => {
  assert.deepEqual(varsAfter(EVENTS.slice(0, 5)), {});
  assert.deepEqual(varsAfter(EVENTS.slice(0, 6)), { sum: 30, old: 1 });
  assert.deepEqual(varsAfter(EVENTS), { sum: 30 });
});

test("what has not begun keeps its row, and what runs reaches to the moment", () => {
  const whole = buildTimeline(ENDED.steps, START);
  const moment = momentAt(ENDED, 6);
  assert.equal(timeOf(moment), START + 60);
  const { bars, scale } = timelineAt(whole, moment);
  assert.deepEqual(bars.map(({ label, state }) => [label, state]), [
    ["each (1)", "success"], ["pay", "running"], ["each (2)", "idle"],
  ]);
  assert.equal(bars[1]!.span.end - START, 60);
  assert.equal(scale, whole.scale);
});

test("attempts, items and rows belong to one run", () => {
  const first = courseOf(EVENTS, 0);
  assert.deepEqual(first.items.map(({ index, result }) => [index, result]), [[0, 10], [1, 20]]);
  assert.deepEqual(first.attempts.map(({ attempt, index }) => [attempt, index]), [[1, 1]]);
  assert.deepEqual(first.sink, { table: "prices", rows: 2 });
  assert.deepEqual(courseOf(EVENTS, 2), { attempts: [], items: [], sink: null });
});

test("events in words", () => {
  assert.deepEqual([1, 3, 4, 5, 10, 11].map((n) => said(EVENTS[n]!)), [
    "each started, for 2 items", "each, item 2: attempt 1 is made again", "each, item 2: success",
    "each: success, leads to pay", "The workflow ended, finally begins", "The execution ended: success",
  ]);
  assert.equal(said({ seq: 1, at: at(0), event: "unheard_of", data: null }), "unheard_of");
});

test("the place in the address is held within the events", () => {
  const cases: [string | null, number | null][] = [[null, null], ["1", 0], ["3", 2], ["99", 11], ["-4", 0], ["x", 0], ["2.7", 1]];
  for (const [text, place] of cases) assert.equal(placeOf(text, EVENTS.length), place, String(text));
  assert.equal(placeOf("1", 0), null);
});

test("a difference is found at the run that it is of", () => {
  const difference = { field: "next", recorded: [], replayed: ["pay"] };
  const replay: Replay = {
    same: false, differences: [],
    steps: [
      { step: "each", visit: 1, differences: [] },
      { step: "pay", visit: 1, differences: [] },
      { step: "each", visit: 2, differences: [difference] },
    ],
  };
  const places = placesOf(replay, EVENTS);
  assert.deepEqual(places, [{ step: "each", visit: 2, differences: [difference], at: 9 }]);
  assert.deepEqual(differencesOf(places, ENDED.steps, 0), []);
  assert.deepEqual(differencesOf(places, ENDED.steps, 2), [difference]);
  // It runs again: nothing came out of it yet.
  assert.deepEqual(differencesOf(places, momentAt(ENDED, 8).steps, 2), []);
  const interrupted: StepRun = { ...ENDED.steps[0]!, status: "interrupted", finished_at: null };
  assert.deepEqual(differencesOf(places, [interrupted, ...ENDED.steps], 3), [difference]);
});

test("what a run called began while it ran", () => {
  const called = (id: string, ms: number): ExecutionSummary =>
    ({ ...BLANK, execution_id: id, parent: "1", parent_step: "call", started_at: at(ms) });
  const run = (from: number, to: number | null): StepRun =>
    ({ ...ENDED.steps[0]!, step: "call", started_at: at(from), finished_at: to === null ? null : at(to) });
  const newestFirst = [called("c", 50), called("b", 20), called("a", 10)];
  const ids = (each: StepRun) => calledBy(each, newestFirst).map(({ execution_id }) => execution_id);
  assert.deepEqual(ids(run(0, 30)), ["a", "b"]);
  assert.deepEqual(ids(run(40, null)), ["c"]);
  assert.deepEqual(ids({ ...run(0, 30), step: "other" }), []);
  // Its server was gone: it waits for one that was called before.
  assert.deepEqual(ids(run(60, 70)), ["a", "b", "c"]);
});
