import { useState } from "preact/hooks";
import { listPlaybooks } from "../api/catalog";
import { asProblem, type Problem } from "../api/problem";
import { useLoad } from "../load";
import { href, playbookHref, route, setQuery } from "../router";
import { canRun, canWrite } from "../session";
import { brief } from "../text";
import { Empty, Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { Time } from "../ui/time";

let typing = 0;

export function PlaybooksPage() {
  const prefix = route.value.query.get("prefix") ?? "";
  const { data, problem, reload, set } = useLoad((signal) => listPlaybooks(prefix, null, signal), [prefix]);
  const [moreProblem, setMoreProblem] = useState<Problem | null>(null);
  const more = async () => {
    setMoreProblem(null);
    try {
      const page = await listPlaybooks(prefix, data!.next_cursor);
      set((old) => ({ ...page, playbooks: [...old.playbooks, ...page.playbooks] }));
    } catch (thrown) {
      setMoreProblem(asProblem(thrown));
    }
  };
  const typed = (text: string) => {
    clearTimeout(typing);
    typing = setTimeout(() => setQuery({ prefix: text.trim() }), 250) as unknown as number;
  };
  return (
    <Page title="Playbooks" actions={canWrite.value && <a class="button primary" href={href("upload")}>Add a playbook</a>}>
      <div class="filters" role="search">
        <input type="search" data-filter aria-label="Path begins with" placeholder="Path begins with…  ( / )"
          value={prefix} onInput={(event) => typed(event.currentTarget.value)} />
      </div>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && data.playbooks.length === 0 &&
        <Empty>{prefix ? "No playbook's path begins so." : "The catalog is empty."}</Empty>}
      {data && data.playbooks.length > 0 && (
        <div class="table-box">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Path</th>
                <th scope="col" class="wide">Name</th>
                <th scope="col" class="n">Version</th>
                <th scope="col" class="n wide">Versions</th>
                <th scope="col">Registered</th>
                <th scope="col"><span class="sr">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {data.playbooks.map((each) => (
                <tr key={each.path}>
                  <td class="main"><a href={playbookHref(each.path)} data-entry>{brief(each.path, 160)}</a></td>
                  <td class="wide">{brief(each.name, 80)}</td>
                  <td class="n">{each.version}</td>
                  <td class="n wide">{each.versions}</td>
                  <td class="nowrap"><Time at={each.registered_at} /></td>
                  <td class="n">{canRun.value && <a href={playbookHref(each.path, { tab: "run" })} aria-label={`Run ${brief(each.path, 160)}`}>Run</a>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {moreProblem && <ProblemNote problem={moreProblem} />}
      {data?.next_cursor && <p class="load-more"><button type="button" onClick={more}>Load more</button></p>}
    </Page>
  );
}
