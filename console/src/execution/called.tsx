import { listCalled } from "../api/executions";
import type { StepRun } from "../api/types";
import { useLoad, useReloads } from "../load";
import { executionHref, href } from "../router";
import { brief } from "../text";
import { ProblemNote } from "../ui/problem";
import { StatusBadge } from "../ui/status";
import { calledBy } from "./course";

/** The executions that a run of a step has called. */
export function Called({ parent, run }: { parent: string; run: StepRun }) {
  const loaded = useLoad((signal) => listCalled(parent, signal), [parent, run.status]);
  useReloads(loaded, () => run.status === "running");
  const { data, problem, reload } = loaded;
  if (problem) return <ProblemNote problem={problem} retry={reload} />;
  if (!data) return null;
  const called = calledBy(run, data.executions);
  return (
    <section class="part">
      <h3>Called</h3>
      {called.length === 0 && <p class="quiet">No execution is known.</p>}
      <ul class="plain-list">
        {called.map(({ execution_id: id, path, version, status }) => (
          <li key={id}>
            <a href={executionHref(id)}>{brief(path, 160)}<span class="version">@{version}</span></a>{" "}
            <StatusBadge status={status} small />
          </li>
        ))}
      </ul>
      {data.next_cursor && <a href={href("executions", "", { parent })}>All that this execution has called</a>}
    </section>
  );
}
