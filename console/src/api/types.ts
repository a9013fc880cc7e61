// What the server says, as docs/api.md has it.

export type Role = "viewer" | "runner" | "author" | "admin";

export interface Me {
  tenant: string;
  role: Role;
  subject: string | null;
  auth: "open" | "api-key" | "oidc";
  expires_at: string | null;
  paths: string[] | null;
}

export type Status = "running" | "success" | "failed" | "interrupted" | "cancelled";

export const STATUSES: readonly Status[] = [
  "running", "success", "failed", "interrupted", "cancelled",
];

/** Why an execution failed, and in which step. */
export interface ExecutionError {
  category: string;
  kind: string | null;
  message: string;
  step?: string | null;
  tool?: string | null;
}

/** An execution as lists have it. */
export interface ExecutionSummary {
  execution_id: string;
  path: string;
  version: number;
  status: Status;
  started_at: string;
  finished_at: string | null;
  started_by: string | null;
  rerun_of: string | null;
  /** The execution that called it, and its step. */
  parent: string | null;
  parent_step: string | null;
  resumed: number;
  error: ExecutionError | null;
  /** How many runs of steps there were. */
  step_count: number;
}

export interface StepError {
  category: string;
  kind: string | null;
  message: string;
  code?: string | null;
  details?: unknown;
}

export interface LogEntry {
  level: string;
  message: string;
  at?: string | null;
}

/** One run of a step. Its numbers are there once it has ended. */
export interface StepRun {
  step: string;
  tool: string | null;
  task?: string | null;
  status: Status;
  started_at: string;
  finished_at: string | null;
  duration_ms: number | null;
  cpu_ms: number | null;
  queued_ms: number | null;
  memory_bytes: number | null;
  host_calls: number | null;
  /** How often its tool was run, if more than once. */
  attempts: number | null;
  /** The items of its loop, if it has one. */
  items: number | null;
  items_finished: number;
  args?: unknown;
  result?: unknown;
  vars?: Record<string, unknown> | null;
  error: StepError | null;
  log?: LogEntry[] | null;
}

export interface ExecutionEvent {
  seq: number;
  at: string;
  event: string;
  step?: string | null;
  data: Record<string, unknown> | null;
}

/** All that is known of an execution. */
export interface Execution extends ExecutionSummary {
  payload: unknown;
  result: unknown;
  steps: StepRun[];
  events: ExecutionEvent[];
}

/** Something that did not come out as it is recorded. */
export interface Difference {
  field: string;
  recorded: unknown;
  replayed: unknown;
}

/** A run of a step, walked once more. */
export interface ReplayedStep {
  step: string;
  /** Which of its runs that ended, from 1. */
  visit: number;
  differences: Difference[];
}

/** An execution that was walked once more from its record. */
export interface Replay {
  same: boolean;
  steps: ReplayedStep[];
  differences: Difference[];
}

export interface PlaybookSummary {
  path: string;
  name: string;
  version: number;
  registered_at: string;
  versions: number;
}

/** One way onwards from a step. */
export interface Next {
  when: string | null;
  line: number | null;
  then: string[];
  default: boolean;
}

/** What a step does beside running its tool once. */
export interface Control {
  calls: { path: string; version: number | null } | null;
  loop: { element: string; concurrency: number; continues: boolean } | null;
  /** How often its tool is run at most, if a failed attempt is made again. */
  attempts: number | null;
  join: "all" | "any" | null;
  /** The table that rows of its result go into. */
  sink: string | null;
  finally: boolean;
}

export interface PlaybookStep extends Control {
  name: string;
  line: number;
  tool: string | null;
  task: string | null;
  description: string | null;
  vars: string[];
  code_line: number | null;
  next: Next[];
  on_error: Next[];
}

export interface Playbook {
  path: string;
  name: string;
  version: number;
  file: string;
  content: string;
  registered_at: string;
  latest: boolean;
  description: string | null;
  on_restart: "resume" | "fail";
  workload: Record<string, unknown>;
  steps: PlaybookStep[];
}

export interface PlaybookVersion {
  version: number;
  name: string;
  file: string;
  registered_at: string;
  registered_by: string | null;
}

/** A mistake in a playbook, and its place. */
export interface PlaybookMistake {
  file: string | null;
  line: number | null;
  column: number | null;
  step: string | null;
  field: string | null;
  message: string;
  hint: string | null;
}

export type ToolStatus = "compiling" | "ready" | "failed";

/** What a tool's manifest asks for. */
export interface Capabilities {
  postgres?: boolean;
  http?: "any" | string[];
}

export interface Tool {
  name: string;
  version?: string;
  description: string;
  digest: string;
  size: number;
  imports: string[];
  /** None if it came with the server and has no manifest. */
  capabilities: Capabilities | null;
  built_in: boolean;
  status: ToolStatus;
  progress?: { stage: string; for_ms: number };
  error?: string;
  signed: boolean;
  pushed_by?: string;
  pushed_at?: string;
  granted: boolean;
}

export interface ToolVersion {
  version: string | null;
  digest: string;
  status: ToolStatus;
  pushed_at: string | null;
}

/** A tool with its JSON Schemas and versions, the newest first. */
export interface ToolDocument extends Tool {
  schema: { config?: unknown; args?: unknown; result?: unknown } | null;
  versions: ToolVersion[];
}

export interface Grant {
  tools: string[] | "all";
  credentials: string[] | "all";
  hosts: string[];
  limits: Record<string, unknown>;
}

export interface Credential {
  alias: string;
  type: string;
  allow_privileged: boolean;
  updated_at: string;
}

export interface Key {
  id: string;
  name: string;
  role: Role;
  paths: string[] | null;
  created_at: string;
  created_by: string | null;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}
