import { deletePlaybook, getDiff, listVersions } from "../api/catalog";
import { useLoad } from "../load";
import { go, href, playbookHref, route, setQuery } from "../router";
import { canWrite } from "../session";
import { Diff } from "../source/diff-view";
import { brief } from "../text";
import { ConfirmButton } from "../ui/dialog";
import { Loading } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { Time } from "../ui/time";

/** A playbook's versions, and what differs between two of them. */
export function Versions({ path, shown }: { path: string; shown: number }) {
  const { data, problem, reload } = useLoad((signal) => listVersions(path, signal), [path]);
  if (!data) return problem ? <ProblemNote problem={problem} retry={reload} /> : <Loading />;
  const remove = async (version: number) => {
    await deletePlaybook(path, version);
    if (data.versions.length === 1) go(href("playbooks"));
    else if (version === shown) go(playbookHref(path, { tab: "versions" }));
    reload();
  };
  const numbers = data.versions.map((each) => each.version);
  const { query } = route.value;
  const to = Number(query.get("to")) || numbers[0]!;
  const from = Number(query.get("from")) || numbers[numbers.indexOf(to) + 1] || numbers.at(-1)!;
  return (
    <>
      <div class="table-box">
        <table class="list versions">
          <thead>
            <tr>
              <th scope="col">Version</th><th scope="col">Registered</th><th scope="col" class="wide">By</th>
              <th scope="col" class="wide">File</th><th scope="col">From</th><th scope="col">To</th>
              {canWrite.value && <th scope="col"><span class="sr">Actions</span></th>}
            </tr>
          </thead>
          <tbody>
            {data.versions.map((each) => (
              <tr key={each.version} class={each.version === shown ? "selected" : ""}>
                <td class="main"><a href={playbookHref(path, { version: each.version, tab: "source" })} data-entry>Version {each.version}</a></td>
                <td class="nowrap"><Time at={each.registered_at} /></td>
                <td class="wide">{brief(each.registered_by ?? "–", 60)}</td>
                <td class="wide">{brief(each.file, 80)}</td>
                <td><Choice name="from" version={each.version} chosen={from} /></td>
                <td><Choice name="to" version={each.version} chosen={to} /></td>
                {canWrite.value && (
                  <td class="row-actions">
                    <ConfirmButton label="Delete" title={`Delete version ${each.version}?`} action="Delete the version"
                      onConfirm={() => remove(each.version)}>
                      <p>{brief(path, 200)}@{each.version} can't be run any more. This can't be undone.</p>
                    </ConfirmButton>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {from === to
        ? <p class="quiet">Choose two versions to compare them.</p>
        : <Comparison path={path} from={from} to={to} />}
    </>
  );
}

function Choice({ name, version, chosen }: { name: "from" | "to"; version: number; chosen: number }) {
  return (
    <input type="radio" name={name} checked={version === chosen} aria-label={`Compare ${name} version ${version}`}
      onChange={() => setQuery({ [name]: version })} />
  );
}

function Comparison({ path, from, to }: { path: string; from: number; to: number }) {
  const { data, problem, reload } = useLoad((signal) => getDiff(path, from, to, signal), [path, from, to]);
  return (
    <section class="card source-card">
      <div class="source-head">From version {from} to version {to}</div>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && <Diff diff={data.diff} />}
    </section>
  );
}
