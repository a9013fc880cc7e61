// The bars of a timeline.

import type { Status, StepRun } from "../api/types";
import { scaleOf, type Scale, type Span } from "./scale";

export interface Bar {
  run: StepRun;
  /** `idle`: in a replay, it has not begun. */
  state: Status | "idle";
  /** The run among all of the execution. */
  index: number;
  /** The step's name, numbered if it ran more than once. */
  label: string;
  span: Span;
  /** Until when it waited for its turn. */
  began: number;
}

export interface Timeline {
  bars: Bar[];
  scale: Scale;
}

export function buildTimeline(steps: StepRun[], now: number): Timeline {
  const count = new Map<string, number>();
  const total = new Map<string, number>();
  for (const { step } of steps) total.set(step, (total.get(step) ?? 0) + 1);

  const bars = steps.map((run, index): Bar => {
    const number = (count.get(run.step) ?? 0) + 1;
    count.set(run.step, number);
    const start = Date.parse(run.started_at);
    const queued = run.queued_ms ?? 0;
    const end = Math.max(start, endOf(run, start + queued, now));
    return {
      run,
      state: run.status,
      index,
      label: total.get(run.step)! > 1 ? `${run.step} (${number})` : run.step,
      span: { start, end },
      began: Math.min(start + queued, end),
    };
  });
  bars.sort((a, b) => a.span.start - b.span.start || a.index - b.index);
  return { bars, scale: scaleOf(bars.map((bar) => bar.span)) };
}

function endOf(run: StepRun, began: number, now: number): number {
  if (run.duration_ms !== null) return began + run.duration_ms;
  if (run.finished_at) return Date.parse(run.finished_at);
  return run.status === "running" ? now : began;
}
