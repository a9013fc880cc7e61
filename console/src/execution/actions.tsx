import { useState } from "preact/hooks";
import { cancelExecution, deleteExecution, rerunExecution } from "../api/executions";
import { asProblem, type Problem } from "../api/problem";
import type { Execution } from "../api/types";
import { executionHref, go, href, route, setQuery } from "../router";
import { canAdminister, canRun } from "../session";
import { ConfirmButton } from "../ui/dialog";
import { ProblemNote } from "../ui/problem";

/** What can be done with an execution. */
export function ExecutionActions({ execution, onChange }: { execution: Execution; onChange: () => void }) {
  const { execution_id: id, status } = execution;
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const replayed = route.value.query.has("at");

  const rerun = async (version: "same" | "latest") => {
    setBusy(true);
    setProblem(null);
    try {
      go(executionHref(await rerunExecution(id, version)));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  const cancel = async () => {
    await cancelExecution(id);
    onChange();
  };
  const remove = async () => {
    await deleteExecution(id);
    go(href("executions"));
  };
  return (
    <>
      {problem && <ProblemNote problem={problem} />}
      {status !== "running" && execution.events.length > 0 && (
        <button type="button" aria-pressed={replayed} onClick={() => setQuery({ at: replayed ? null : 1, step: null })}
          title="Step through what is recorded; nothing is run">Replay</button>
      )}
      {canRun.value && (
        <div class="joined" role="group" aria-label="Run again">
          <button type="button" disabled={busy} onClick={() => rerun("same")}>Run again</button>
          <button type="button" disabled={busy} onClick={() => rerun("latest")} title="With the playbook's latest version">with the latest version</button>
        </div>
      )}
      {canRun.value && status === "running" && (
        <ConfirmButton label="Cancel" title="Cancel this execution?" action="Cancel the execution" onConfirm={cancel}>
          <p>Its running steps are ended at once. What they have done elsewhere stays done.</p>
        </ConfirmButton>
      )}
      {canAdminister.value && status !== "running" && (
        <ConfirmButton label="Delete" title="Delete this execution?" action="Delete" onConfirm={remove}>
          <p>Its record is removed: inputs, outputs, logs and events. This can't be undone.</p>
        </ConfirmButton>
      )}
    </>
  );
}
