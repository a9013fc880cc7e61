// A playbook's steps and the ways between them, with what an execution did.

import type { ExecutionEvent, PlaybookStep, Status, StepRun } from "../api/types";

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
  kind: "always" | "when" | "default";
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
    ...steps.flatMap((step) => step.next.flatMap((next) => next.then)),
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
  for (const step of steps) {
    for (const next of step.next) {
      for (const to of next.then) {
        const kind = next.when !== null ? "when" : next.default ? "default" : "always";
        const key = JSON.stringify([step.name, to, kind, next.when]);
        edges.set(key, { from: step.name, to, kind, when: next.when, taken: taken.has(way(step.name, to)) });
      }
    }
  }
  // Without its playbook an execution still shows which way it went.
  if (steps.length === 0) {
    for (const key of taken) {
      const [from, to] = JSON.parse(key) as [string, string];
      if (names.has(from) && names.has(to)) {
        edges.set(key, { from, to, kind: "always", when: null, taken: true });
      }
    }
  }
  return { nodes, edges: [...edges.values()] };
}

const way = (from: string, to: string) => JSON.stringify([from, to]);

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
    if (event !== "step_finished" || !step || !Array.isArray(data?.next)) continue;
    for (const to of data.next) {
      taken.add(way(step, String(to)));
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
      taken.add(way(name, to));
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
