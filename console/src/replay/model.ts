// An execution as it was when one of its events had happened.

import type { Difference, Execution, ExecutionEvent, Replay, StepRun } from "../api/types";
import { foldAll } from "../execution/fold";
import { plural } from "../format";
import type { Timeline } from "../timeline/model";

/** The execution when its event `at` had happened, counted from 0. */
export function momentAt(execution: Execution, at: number): Execution {
  const before: Execution = {
    ...execution, status: "running", finished_at: null, resumed: 0, result: null, error: null, steps: [], events: [],
  };
  const moment = foldAll(before, execution.events.slice(0, at + 1));
  if (at < execution.events.length - 1) return moment;
  const { status, finished_at, result, error } = execution;
  return { ...moment, status, finished_at, result, error };
}

/** The variables that are set after these events. */
export function varsAfter(events: ExecutionEvent[]): Record<string, unknown> {
  const vars = new Map<string, unknown>();
  for (const { event, data } of events) {
    if (event !== "step_finished") continue;
    for (const [name, value] of Object.entries(data?.vars ?? {})) {
      if (value === null) vars.delete(name);
      else vars.set(name, value);
    }
  }
  return Object.fromEntries(vars);
}

/** The event to which the query's `at` leads; null if there is no replay. Counted from 0. */
export function placeOf(at: string | null, events: number): number | null {
  if (at === null || events === 0) return null;
  const number = Math.trunc(Number(at)) || 1;
  return Math.min(Math.max(number, 1), events) - 1;
}

/** The timeline at a moment: what came later is there, and has not begun. */
export function timelineAt(timeline: Timeline, moment: Execution): Timeline {
  const now = timeOf(moment);
  const bars = timeline.bars.map((bar) => {
    const run = moment.steps[bar.index];
    if (!run) return { ...bar, run: unknown(bar.run), state: "idle" as const };
    if (run.status !== "running") return { ...bar, run, state: run.status };
    const end = Math.min(Math.max(now, bar.span.start), bar.span.end);
    return { ...bar, run, state: run.status, span: { ...bar.span, end }, began: Math.min(bar.began, end) };
  });
  return { bars, scale: timeline.scale };
}

/** When the last event of a moment happened, in ms. */
export const timeOf = (moment: Execution) => Date.parse(moment.events.at(-1)?.at ?? moment.started_at);

const unknown = (run: StepRun): StepRun =>
  ({ ...run, duration_ms: null, queued_ms: null, cpu_ms: null, memory_bytes: null, host_calls: null });

/** What an event says, in a few words. */
export function said({ event, step, data }: ExecutionEvent): string {
  const of = (name: string) => String(data?.[name] ?? "");
  switch (event) {
    case "execution_started": return "The execution started";
    case "step_started":
      return `${step} started${typeof data?.items === "number" ? `, for ${plural(data.items, "item")}` : ""}`;
    case "attempt_failed": {
      const item = typeof data?.index === "number" ? `, item ${data.index + 1}` : "";
      return `${step}${item}: attempt ${of("attempt")} is made again`;
    }
    case "item_finished": return `${step}, item ${Number(data?.index) + 1}: ${of("status")}`;
    case "step_finished": {
      const next = Array.isArray(data?.next) && data.next.length > 0 ? `, leads to ${data.next.join(", ")}` : "";
      return `${step}: ${of("status")}${next}`;
    }
    case "finally_started": return data?.failure ? "The workflow failed, finally begins" : "The workflow ended, finally begins";
    case "execution_resumed": return "Another server went on with it";
    case "execution_finished": return `The execution ended: ${of("status")}`;
    default: return event;
  }
}

/** Where something came out differently. */
export interface Place {
  step: string;
  /** Which of the step's runs, from 1. */
  visit: number;
  differences: Difference[];
  /** The event with which that run ended, counted from 0; -1 if it is not known. */
  at: number;
}

export function placesOf(replay: Replay, events: ExecutionEvent[]): Place[] {
  const differ = replay.steps.filter((each) => each.differences.length > 0);
  return differ.map((each) => {
    let visit = 0;
    const at = events.findIndex(({ event, step }) =>
      event === "step_finished" && step === each.step && ++visit === each.visit);
    return { step: each.step, visit: each.visit, differences: each.differences, at };
  });
}

/** What came out differently of the run that is the `index`th of these. */
export function differencesOf(places: Place[], runs: StepRun[], index: number): Difference[] {
  const run = runs[index];
  if (!run?.finished_at) return [];
  // One that was interrupted is no visit.
  const visit = runs.slice(0, index + 1).filter((each) => each.step === run.step && each.finished_at).length;
  return places.find((place) => place.step === run.step && place.visit === visit)?.differences ?? [];
}
