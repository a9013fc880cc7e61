// The list of executions, put together from pages and what happens meanwhile.

import type { ExecutionFilter } from "../api/executions";
import type { ExecutionSummary } from "../api/types";

/** The list with newer word of some executions; newest first, each of them once. */
export function merge(list: ExecutionSummary[], news: ExecutionSummary[]): ExecutionSummary[] {
  const known = new Map(list.map((each) => [each.execution_id, each]));
  for (const each of news) {
    const old = known.get(each.execution_id);
    if (!old || !isOlder(each, old)) known.set(each.execution_id, each);
  }
  return [...known.values()].sort(newestFirst);
}

/** Whether `a` tells of an earlier moment of the same execution than `b`. */
function isOlder(a: ExecutionSummary, b: ExecutionSummary): boolean {
  if (a.resumed !== b.resumed) return a.resumed < b.resumed;
  // It runs, then it has ended; `interrupted` is followed by a resumption.
  if (a.status === "running" && b.status === "running") return a.step_count < b.step_count;
  return a.status === "running";
}

function newestFirst(a: ExecutionSummary, b: ExecutionSummary): number {
  const time = Date.parse(b.started_at) - Date.parse(a.started_at);
  return time || (a.execution_id < b.execution_id ? 1 : -1);
}

/** Whether the server would list an execution under this filter. */
export function matches(filter: ExecutionFilter, execution: ExecutionSummary): boolean {
  const started = Date.parse(execution.started_at);
  return (
    (filter.status.length === 0 || filter.status.includes(execution.status)) &&
    execution.path.startsWith(filter.path) &&
    (!filter.parent || execution.parent === filter.parent) &&
    (!filter.since || started >= Date.parse(filter.since)) &&
    (!filter.until || started < Date.parse(filter.until))
  );
}

/** The list after one execution has changed: it may enter, change or leave. */
export function update(
  list: ExecutionSummary[],
  filter: ExecutionFilter,
  news: ExecutionSummary,
): ExecutionSummary[] {
  const merged = merge(list, [news]);
  return merged.filter((each) => each.execution_id !== news.execution_id || matches(filter, each));
}
