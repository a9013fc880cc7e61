import { query, request, requestWithHeaders } from "./client";
import type { Execution, ExecutionSummary, Replay } from "./types";

export interface ExecutionFilter {
  status: string[];
  path: string;
  since: string | null;
  until: string | null;
  /** The execution that called them. */
  parent: string | null;
}

export interface ExecutionPage {
  executions: ExecutionSummary[];
  next_cursor: string | null;
}

const PAGE = 50;

export function listExecutions(filter: ExecutionFilter, cursor: string | null, signal?: AbortSignal) {
  const { status, ...rest } = filter;
  const members = { status: status.join(","), ...rest, limit: PAGE, cursor };
  return request<ExecutionPage>("GET", `executions${query(members)}`, { signal });
}

export const LIVE_EXECUTIONS = "executions/live";

export const eventsOf = (id: string) => `${one(id)}/events`;

export const getExecution = (id: string, signal?: AbortSignal) =>
  request<Execution>("GET", one(id), { signal });

/** Walks an execution that has ended once more from its record. */
export const getReplay = (id: string, signal?: AbortSignal) =>
  request<Replay>("GET", `${one(id)}/replay`, { signal });

/** The executions that an execution has called, the newest first. */
export const listCalled = (parent: string, signal?: AbortSignal) =>
  listExecutions({ status: [], path: "", since: null, until: null, parent }, null, signal);

export const cancelExecution = (id: string) => request<unknown>("POST", `${one(id)}/cancel`);

export const deleteExecution = (id: string) => request<null>("DELETE", one(id));

/** Starts an execution like `id`; the new one's id. */
export async function rerunExecution(id: string, version: "same" | "latest"): Promise<string> {
  return started(await requestWithHeaders("POST", `${one(id)}/rerun`, { body: { version } }));
}

/** Starts an execution and does not wait for it; its id. The same `attempt` starts one only. */
export async function startExecution(path: string, payload: unknown, attempt: string): Promise<string> {
  const headers = { prefer: "respond-async", "idempotency-key": attempt };
  return started(await requestWithHeaders("POST", "execute", { body: { path, payload }, headers }));
}

function started(answer: { data: { execution_id?: string } | null; headers: Headers }): string {
  const id = answer.data?.execution_id ?? answer.headers.get("location")?.split("/").at(-1);
  if (!id) throw new Error("the server named no execution");
  return id;
}

const one = (id: string) => `executions/${encodeURIComponent(id)}`;
