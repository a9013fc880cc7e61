import { getTools } from "../api/tools";
import { bytes, plural } from "../format";
import { useLoad, useReloads } from "../load";
import { toolHref } from "../router";
import { brief } from "../text";
import { Asks } from "../tools/abilities";
import { Granted, ToolError, ToolState } from "../tools/badges";
import { GrantView } from "../tools/grant";
import { isCompiling, listed, type Listed } from "../tools/versions";
import { Copy } from "../ui/copy";
import { Empty, Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { Time } from "../ui/time";

export function ToolsPage() {
  const loaded = useLoad((signal) => getTools(signal), []);
  const { data, problem, reload } = loaded;
  useReloads(loaded, ({ tools }) => tools.some(isCompiling));
  return (
    <Page title="Tools">
      <p class="quiet lead">Every step runs in a fresh sandbox that reaches only what its tool imports, and of that only what this tenant was granted.</p>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && data.tools.length === 0 && <Empty>No tool is installed.</Empty>}
      {data && (
        <>
          <ul class="tool-list">{listed(data.tools).map((each) => <ToolCard key={each.newest.name} listed={each} />)}</ul>
          <GrantView grant={data.grant} />
        </>
      )}
    </Page>
  );
}

function ToolCard({ listed: { newest: tool, versions } }: { listed: Listed }) {
  return (
    <li class="card tool">
      <h2>
        <a href={toolHref(tool.name)} data-entry>
          {brief(tool.name, 130)}{!tool.built_in && tool.version && <span class="version">@{brief(tool.version, 60)}</span>}
        </a>
        <span class="actions">
          {!tool.built_in && <ToolState status={tool.status} progress={tool.progress} />}
          <Granted granted={tool.granted} />
        </span>
      </h2>
      {tool.description && <p>{brief(tool.description, 300)}</p>}
      <ToolError error={tool.error} />
      <Asks tool={tool} />
      <p class="facts">
        <span>{tool.built_in ? "built in" : plural(versions, "version")}</span>
        <span>{bytes(tool.size)}</span>
        {tool.pushed_at && <span>pushed <Time at={tool.pushed_at} /></span>}
        <span class="id"><code>{brief(tool.digest, 26)}</code> <Copy text={() => tool.digest} label="" /></span>
      </p>
    </li>
  );
}
