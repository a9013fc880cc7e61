import assert from "node:assert/strict";
import { test } from "node:test";
import type { StepRun } from "../src/api/types";
import { buildTimeline } from "../src/timeline/model";
import { scaleOf, ticks } from "../src/timeline/scale";

const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const START = Date.UTC(2026, 0, 1);
const run = (step: string, start: number, part: Partial<StepRun>): StepRun => ({
  step, tool: "python", status: "success", started_at: at(start), finished_at: null, duration_ms: null,
  cpu_ms: null, queued_ms: null, memory_bytes: null, host_calls: null, attempts: null,
  items: null, items_finished: 0, error: null, ...part,
});

test("bars wait, then work; a running one reaches to now", () => {
  const { bars } = buildTimeline([
    run("b", 100, { status: "running" }),
    run("a", 0, { queued_ms: 20, duration_ms: 50 }),
  ], START + 400);
  assert.deepEqual(bars.map(({ label, index }) => [label, index]), [["a", 1], ["b", 0]]);
  assert.deepEqual(bars.map(({ span, began }) => [span.start - START, began - START, span.end - START]), [
    [0, 20, 70], [100, 100, 400],
  ]);
});

test("a step that ran more than once is numbered", () => {
  const { bars } = buildTimeline([run("a", 0, {}), run("a", 5, {}), run("b", 6, {})], START);
  assert.deepEqual(bars.map(({ label }) => label), ["a (1)", "a (2)", "b"]);
});

test("a scale reaches from the first start to the last end", () => {
  const { place, gaps } = scaleOf([{ start: 10, end: 20 }, { start: 15, end: 30 }]);
  assert.deepEqual([10, 20, 30].map(place), [0, 0.5, 1]);
  assert.deepEqual(gaps, []);
});

test("a long time without work is left out", () => {
  const { place, gaps } = scaleOf([{ start: 0, end: 1_000 }, { start: 3_600_000, end: 3_601_000 }]);
  assert.equal(gaps.length, 1);
  assert.ok(place(1_000) > 0.4 && place(3_600_000) < 0.6);
  const marks = [0, 500, 1_000, 1_800_000, 3_600_000, 3_601_000].map(place);
  assert.deepEqual(marks, [...marks].sort((a, b) => a - b));
  assert.equal(place(3_601_000), 1);
});

test("nothing, or no time at all, has a scale too", () => {
  assert.equal(scaleOf([]).place(5), 1);
  assert.ok(Number.isFinite(scaleOf([{ start: 5, end: 5 }]).place(5)));
});

test("marks are round", () => {
  assert.deepEqual(ticks(10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(0, 5), [0]);
});
