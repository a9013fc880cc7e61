// A playbook's steps and the ways between them, with what an execution did.

import type { ExecutionEvent, Next, PlaybookStep, Status, StepRun } from "../api/types";

/** `idle`: has not run. `passed`: has no tool, and the execution went through it. */
export type NodeState = Status | "idle" | "passed";

export interface Node {
  name: string;
  /** Null for a step that the playbook does not have (any more). */
  step: PlaybookStep | null;
  tool: string | null;
  state: NodeState;
  /** How often it has run. */
  runs: number;
}

export interface Edge {
  from: string;
  to: string;
  /** `then`: from one step of `finally` to the one after it. */
  kind: "always" | "when" | "default" | "then";
  /** Whether it is the way of a step that has failed. */
  error: boolean;
  when: string | null;
  taken: boolean;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

/** What an execution tells about its playbook's steps. */
export interface Course {
  steps: StepRun[];
  events: ExecutionEvent[];
}

export function buildGraph(steps: PlaybookStep[], course: Course | null): Graph {
  const known = new Map(steps.map((step) => [step.name, step]));
  const runs = new Map<string, StepRun[]>();
  for (const run of course?.steps ?? []) {
    runs.set(run.step, [...(runs.get(run.step) ?? []), run]);
  }
  const { visited, taken } = follow(steps, known, runs, course);

  const names = new Set([
    ...known.keys(),
    ...runs.keys(),
    ...steps.flatMap((step) => [...step.next, ...step.on_error].flatMap((next) => next.then)),
  ]);
  const nodes = [...names].map((name): Node => {
    const step = known.get(name) ?? null;
    const ofStep = runs.get(name) ?? [];
    const last = ofStep.at(-1);
    return {
      name,
      step,
      tool: step?.tool ?? last?.tool ?? null,
      state: last?.status ?? (visited.has(name) && !step?.tool ? "passed" : "idle"),
      runs: ofStep.length,
    };
  });

  const edges = new Map<string, Edge>();
  const add = (from: string, ways: Next[], error: boolean) => {
    for (const { when, then, default: otherwise } of ways) {
      for (const to of then) {
        const kind = when !== null ? "when" : otherwise ? "default" : "always";
        const key = JSON.stringify([from, to, kind, error, when]);
        edges.set(key, { from, to, kind, error, when, taken: taken.has(way(from, to, error)) });
      }
    }
  };
  for (const step of steps) {
    add(step.name, step.next, false);
    add(step.name, step.on_error, true);
  }
  const last = steps.filter((step) => step.finally).map(({ name }) => name);
  last.slice(1).forEach((to, i) => {
    const from = last[i]!;
    edges.set(way(from, to, false), { from, to, kind: "then", error: false, when: null, taken: visited.has(to) });
  });
  // Without its playbook an execution still shows which way it went.
  if (steps.length === 0) {
    for (const key of taken) {
      const [from, to, error] = JSON.parse(key) as [string, string, boolean];
      if (names.has(from) && names.has(to)) {
        edges.set(key, { from, to, kind: "always", error, when: null, taken: true });
      }
    }
  }
  return { nodes, edges: [...edges.values()] };
}

const way = (from: string, to: string, error: boolean) => JSON.stringify([from, to, error]);

/**
 * What only the layout knows: the steps of `finally` stand below those with which
 * the workflow can end.
 */
export function belowWorkflow({ nodes, edges }: Graph): { from: string; to: string }[] {
  const first = nodes.find((node) => node.step?.finally);
  if (!first) return [];
  const leading = new Set(edges.map(({ from }) => from));
  const ends = nodes.filter((node) => !node.step?.finally && !leading.has(node.name));
  return ends.map(({ name }) => ({ from: name, to: first.name }));
}

/** What a step does beside running its tool once, in a few words. */
export function marksOf(step: PlaybookStep | null): string[] {
  if (!step) return [];
  const { loop, attempts, join, sink } = step;
  return [
    step.finally ? "finally" : "",
    loop ? (loop.concurrency > 1 ? `loop ×${loop.concurrency}` : "loop") : "",
    attempts ? `retry ${attempts}` : "",
    join ? `join ${join}` : "",
    sink ? `sink ${sink}` : "",
  ].filter(Boolean);
}

/**
 * The steps that the execution came to and the ways that it took. A tool step
 * says where it led; where a step without a tool led is told by what ran.
 */
function follow(
  steps: PlaybookStep[],
  known: Map<string, PlaybookStep>,
  runs: Map<string, StepRun[]>,
  course: Course | null,
): { visited: Set<string>; taken: Set<string> } {
  const visited = new Set<string>(runs.keys());
  const taken = new Set<string>();
  if (!course) return { visited, taken };

  for (const { event, step, data } of course.events) {
    if (event === "finally_started") {
      // Those without a tool leave no other trace.
      for (const { name, tool, finally: last } of steps) if (last && !tool) visited.add(name);
    }
    if (event !== "step_finished" || !step || !Array.isArray(data?.next)) continue;
    for (const to of data.next) {
      taken.add(way(step, String(to), data.status !== "success"));
      visited.add(String(to));
    }
  }

  const first = known.get("start") ?? steps[0];
  if (first) visited.add(first.name);
  const waiting = [...visited];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const step = known.get(name);
    if (!step || step.tool) continue;
    for (const to of waysOn(step, visited)) {
      taken.add(way(name, to, false));
      if (!visited.has(to)) {
        visited.add(to);
        waiting.push(to);
      }
    }
  }
  return { visited, taken };
}

/** Where a step without a tool led on to, as far as can be told. */
function waysOn(step: PlaybookStep, visited: Set<string>): string[] {
  const branches = step.next;
  if (branches.every((next) => next.when === null)) return branches.flatMap((next) => next.then);
  return branches.find((next) => next.then.some((to) => visited.has(to)))?.then ?? [];
}
