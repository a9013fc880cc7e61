// An execution, brought up to date by its events.

import type { Execution, ExecutionEvent, LogEntry, Status, StepError, StepRun } from "../api/types";

/** The execution after one more event; the same one if the event is not new. */
export function fold(execution: Execution, event: ExecutionEvent): Execution {
  const last = execution.events.at(-1)?.seq ?? -1;
  if (event.seq <= last) return execution;
  const next = { ...execution, events: [...execution.events, event] };
  const data = event.data ?? {};
  switch (event.event) {
    case "step_started":
      return { ...next, steps: [...execution.steps, startedRun(event, data)] };
    case "step_finished":
      return { ...next, steps: finish(execution.steps, event, data) };
    case "execution_resumed":
      return { ...next, status: "running", finished_at: null, resumed: execution.resumed + 1 };
    case "execution_finished":
      return { ...next, status: data.status as Status, finished_at: event.at };
    default:
      return next;
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
    args: data.args,
    error: null,
  };
}

function finish(steps: StepRun[], event: ExecutionEvent, data: Record<string, unknown>): StepRun[] {
  const open = steps.findLastIndex((run) => run.step === event.step && run.status === "running");
  const run = steps[open] ?? startedRun(event, data);
  const finished: StepRun = {
    ...run,
    tool: textOf(data.tool) ?? run.tool,
    started_at: textOf(data.started_at) ?? run.started_at,
    status: data.status as Status,
    finished_at: event.at,
    duration_ms: numberOf(data.duration_ms),
    cpu_ms: numberOf(data.cpu_ms),
    queued_ms: numberOf(data.queued_ms),
    memory_bytes: numberOf(data.memory_bytes),
    host_calls: numberOf(data.host_calls),
    result: data.result,
    vars: data.vars as StepRun["vars"],
    error: (data.error as StepError | null | undefined) ?? null,
    log: data.log as LogEntry[] | null,
  };
  return open < 0 ? [...steps, finished] : steps.map((each, i) => (i === open ? finished : each));
}

const textOf = (value: unknown) => (typeof value === "string" ? value : null);
const numberOf = (value: unknown) => (typeof value === "number" ? value : null);
