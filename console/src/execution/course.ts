// What the events say of one run of a step beyond its record.

import type { ExecutionEvent, ExecutionSummary, LogEntry, Status, StepError, StepRun } from "../api/types";

/** An attempt that was made again. */
export interface Attempt {
  /** Which one, from 1. */
  attempt: number;
  /** The loop's item that it was for, from 0. */
  index: number | null;
  error: StepError | null;
  /** What it gave, if it did not fail. */
  result: unknown;
  wait_ms: number;
}

/** An item of a loop that has ended. */
export interface Item {
  /** From 0. */
  index: number;
  status: Status;
  args: unknown;
  result: unknown;
  error: StepError | null;
  attempts: number;
  duration_ms: number;
  log: LogEntry[];
}

export interface Course {
  attempts: Attempt[];
  /** In the order of the list. */
  items: Item[];
  /** The rows that went into a table. */
  sink: { table: string; rows: number } | null;
}

/** What happened in the run that is the `index`th of the execution, from 0. */
export function courseOf(events: ExecutionEvent[], index: number): Course {
  const own = eventsOfRun(events, index);
  const of = <T>(name: string) => own.filter(({ event }) => event === name).map(({ data }) => (data ?? {}) as T);
  const [finished] = of<Partial<Course>>("step_finished");
  return {
    attempts: of<Attempt>("attempt_failed").map((attempt) => ({ ...attempt, index: attempt.index ?? null })),
    items: of<Item>("item_finished").sort((a, b) => a.index - b.index),
    sink: finished?.sink ?? null,
  };
}

/** The events that are about one run of a step. */
function eventsOfRun(events: ExecutionEvent[], index: number): ExecutionEvent[] {
  const open = new Map<string, number>();
  const own: ExecutionEvent[] = [];
  let runs = 0;
  for (const event of events) {
    if (event.event === "execution_resumed") open.clear();
    if (!event.step) continue;
    const ends = event.event === "step_finished";
    if (event.event === "step_started" || (ends && !open.has(event.step))) open.set(event.step, runs++);
    if (open.get(event.step) === index) own.push(event);
    if (ends) open.delete(event.step);
  }
  return own;
}

/** Of the executions that were called, those of one run of a step, the oldest first. */
export function calledBy(run: StepRun, called: ExecutionSummary[]): ExecutionSummary[] {
  const ofStep = called.filter((each) => each.parent_step === run.step).reverse();
  const [from, to] = [Date.parse(run.started_at), run.finished_at ? Date.parse(run.finished_at) : Infinity];
  const within = ofStep.filter(({ started_at }) => Date.parse(started_at) >= from && Date.parse(started_at) <= to);
  // One that was called before its server was gone is waited for by a later run.
  return within.length > 0 ? within : ofStep;
}
