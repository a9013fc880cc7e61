import type { ExecutionSummary } from "../api/types";
import { maskText } from "../mask";
import { executionHref } from "../router";
import { brief, cut } from "../text";
import { StatusBadge } from "../ui/status";
import { Time, Took } from "../ui/time";

export function ExecutionTable({ executions }: { executions: ExecutionSummary[] }) {
  return (
    <div class="table-box">
      <table class="list">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Playbook</th>
            <th scope="col">Started</th>
            <th scope="col" class="n">Took</th>
            <th scope="col" class="n wide">Steps</th>
            <th scope="col" class="wide">By</th>
            <th scope="col" class="wide">Id</th>
          </tr>
        </thead>
        <tbody>{executions.map((each) => <Row key={each.execution_id} execution={each} />)}</tbody>
      </table>
    </div>
  );
}

function Row({ execution }: { execution: ExecutionSummary }) {
  const { execution_id: id, path, version, status, error, resumed, rerun_of, started_by, parent, parent_step } = execution;
  return (
    <tr>
      <td><StatusBadge status={status} /></td>
      <td class="main">
        <a href={executionHref(id)} data-entry>{brief(path, 160)}<span class="version">@{version}</span></a>
        {resumed > 0 && <span class="tag" title="Taken up again after the server stopped">resumed{resumed > 1 && ` ×${resumed}`}</span>}
        {rerun_of && <span class="tag" title={`Runs ${rerun_of} again`}>re-run</span>}
        {parent && <span class="tag" title={brief(`Called by the step ${parent_step} of ${parent}`, 200)}>called</span>}
        {error && <div class="row-error">{error.step && <b>{brief(error.step, 60)}: </b>}{brief(maskText(cut(error.message, 20_000)), 180)}</div>}
      </td>
      <td class="nowrap"><Time at={execution.started_at} /></td>
      <td class="n">{status === "interrupted" && !execution.finished_at ? "–" : <Took from={execution.started_at} to={execution.finished_at} />}</td>
      <td class="n wide">{execution.step_count}</td>
      <td class="wide">{brief(started_by ?? "–", 30)}</td>
      <td class="wide"><code title={brief(id, 60)}>{brief(id.slice(-8), 8)}</code></td>
    </tr>
  );
}
