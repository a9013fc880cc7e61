// An execution, brought up to date by its events.

import type { Execution, ExecutionEvent, LogEntry, Status, StepError, StepRun } from "../api/types";

/** The execution after one more event; the same one if the event is not new. */
export const fold = (execution: Execution, event: ExecutionEvent): Execution => foldAll(execution, [event]);

/** The execution after more events; the same one if none of them is new. */
export function foldAll(execution: Execution, events: ExecutionEvent[]): Execution {
  const last = execution.events.at(-1)?.seq ?? -1;
  const news = events.filter(({ seq }) => seq > last);
  if (news.length === 0) return execution;
  const next = { ...execution, events: [...execution.events, ...news] };
  const runs = new Runs(execution.steps);
  for (const event of news) take(next, runs, event);
  next.steps = runs.list;
  return next;
}

function take(execution: Execution, runs: Runs, event: ExecutionEvent): void {
  const data = event.data ?? {};
  switch (event.event) {
    case "step_started":
      runs.start(startedRun(event, data));
      return;
    case "attempt_failed": {
      const run = runs.running(event.step);
      if (run) run.attempts = (run.attempts ?? 0) + 1;
      return;
    }
    case "item_finished": {
      const run = runs.running(event.step);
      if (!run) return;
      run.items_finished += 1;
      run.log ??= [];
      for (const entry of logOf(data)) run.log.push(entry);
      return;
    }
    case "step_finished":
      // One that could not even start has no start of its own.
      finish(runs.running(event.step) ?? runs.start(startedRun(event, data)), event, data);
      return;
    case "execution_resumed":
      runs.interrupt();
      execution.status = "running";
      execution.finished_at = null;
      execution.resumed += 1;
      return;
    case "execution_finished":
      runs.interrupt();
      execution.status = data.status as Status;
      execution.finished_at = event.at;
  }
}

/** Runs of steps of which those that change are copied, once. */
class Runs {
  readonly list: StepRun[];
  private readonly own = new Set<StepRun>();
  private readonly open = new Map<string, number>();

  constructor(runs: StepRun[]) {
    this.list = [...runs];
    runs.forEach((run, i) => run.status === "running" && this.open.set(run.step, i));
  }

  start(run: StepRun): StepRun {
    this.open.set(run.step, this.list.length);
    this.list.push(run);
    this.own.add(run);
    return run;
  }

  /** The run of a step that has not ended, to be changed. */
  running(step: string | null | undefined): StepRun | null {
    const at = this.open.get(step ?? "");
    const run = at === undefined ? undefined : this.list[at];
    return run?.status === "running" ? this.owned(at!, run) : null;
  }

  /** Nobody knows how far a step has come whose server is gone. */
  interrupt(): void {
    this.list.forEach((run, i) => {
      if (run.status === "running") this.owned(i, run).status = "interrupted";
    });
  }

  private owned(at: number, run: StepRun): StepRun {
    if (this.own.has(run)) return run;
    const copy = { ...run, log: run.log && [...run.log] };
    this.list[at] = copy;
    this.own.add(copy);
    return copy;
  }
}

function startedRun(event: ExecutionEvent, data: Record<string, unknown>): StepRun {
  return {
    step: event.step ?? "",
    tool: textOf(data.tool),
    task: textOf(data.task),
    status: "running",
    started_at: event.at,
    finished_at: null,
    duration_ms: null,
    cpu_ms: null,
    queued_ms: null,
    memory_bytes: null,
    host_calls: null,
    attempts: null,
    items: numberOf(data.items),
    items_finished: 0,
    args: data.args,
    error: null,
  };
}

function finish(run: StepRun, event: ExecutionEvent, data: Record<string, unknown>): void {
  Object.assign(run, {
    tool: textOf(data.tool) ?? run.tool,
    started_at: textOf(data.started_at) ?? run.started_at,
    status: data.status as Status,
    finished_at: event.at,
    duration_ms: numberOf(data.duration_ms),
    cpu_ms: numberOf(data.cpu_ms),
    queued_ms: numberOf(data.queued_ms),
    memory_bytes: numberOf(data.memory_bytes),
    host_calls: numberOf(data.host_calls),
    attempts: numberOf(data.attempts),
    items: numberOf(data.items) ?? run.items,
    result: data.result,
    vars: data.vars as StepRun["vars"],
    error: (data.error as StepError | null | undefined) ?? null,
    log: [...(run.log ?? []), ...logOf(data)],
  });
}

const textOf = (value: unknown) => (typeof value === "string" ? value : null);
const numberOf = (value: unknown) => (typeof value === "number" ? value : null);
const logOf = (data: Record<string, unknown>) => (Array.isArray(data.log) ? (data.log as LogEntry[]) : []);
