import type { Problem } from "../api/problem";
import { visible } from "../text";
import { LongText } from "./text";

/** What went wrong, said so that one can do something about it. */
export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const { request_id: id } = problem.body;
  return (
    <div class="note bad" role="alert">
      <p><strong>{visible(problem.title)}</strong></p>
      {problem.detail && <p class="wrap"><LongText text={problem.detail} /></p>}
      {typeof id === "string" && <p class="quiet">Request <code>{visible(id)}</code></p>}
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}
