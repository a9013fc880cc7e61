import { getTools } from "../api/tenant";
import { stringify } from "../api/json";
import type { Grant, Tool } from "../api/types";
import { bytes, integer } from "../format";
import { useLoad } from "../load";
import { brief } from "../text";
import { abilitiesOf } from "../tools/imports";
import { Copy } from "../ui/copy";
import { Icon } from "../ui/icon";
import { Empty, Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";

export function ToolsPage() {
  const { data, problem, reload } = useLoad((signal) => getTools(signal), []);
  return (
    <Page title="Tools">
      <p class="quiet lead">Every step runs in a fresh sandbox that reaches only what its tool imports, and of that only what this tenant was granted.</p>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && data.tools.length === 0 && <Empty>No tool is installed.</Empty>}
      {data && (
        <>
          <ul class="tool-list">{data.tools.map((tool) => <ToolCard key={tool.name} tool={tool} />)}</ul>
          <GrantView grant={data.grant} />
        </>
      )}
    </Page>
  );
}

function ToolCard({ tool }: { tool: Tool }) {
  return (
    <li class="card tool">
      <h2 tabIndex={-1} data-entry>
        {brief(tool.name, 80)}
        <span class="status" data-status={tool.granted ? "success" : "cancelled"}>
          <Icon name={tool.granted ? "success" : "cancelled"} />{tool.granted ? "granted" : "not granted"}
        </span>
      </h2>
      <ul class="abilities">
        {abilitiesOf(tool.imports).map(({ words, imports, reaches }) => (
          <li key={words} class={reaches ? "reaches" : ""} title={brief(imports.join("\n"), 1_000)}>{brief(words, 160)}</li>
        ))}
        {tool.imports.length === 0 && <li>Imports nothing: it only computes</li>}
      </ul>
      <p class="facts">
        <span>{bytes(tool.size)}</span>
        <span class="id"><code>{brief(tool.digest, 26)}</code> <Copy text={() => tool.digest} label="" /></span>
      </p>
      <details>
        <summary class="quiet">{tool.imports.length} imports</summary>
        <ul class="plain-list imports">{tool.imports.slice(0, 200).map((each) => <li key={each}><code>{brief(each, 120)}</code></li>)}</ul>
      </details>
    </li>
  );
}

function GrantView({ grant }: { grant: Grant }) {
  return (
    <section class="card grant">
      <h2>What this tenant was granted</h2>
      <dl class="pairs">
        <div><dt>Tools</dt><dd><Names names={grant.tools} /></dd></div>
        <div><dt>Credentials</dt><dd><Names names={grant.credentials} /></dd></div>
        <div><dt>Hosts</dt><dd><Names names={grant.hosts} /></dd></div>
      </dl>
      <h3>Limits of a step</h3>
      <dl class="limits">
        {Object.entries(grant.limits).map(([name, value]) => (
          <div key={name}><dt>{brief(name.replaceAll("_", " "), 60)}</dt><dd>{limit(name, value)}</dd></div>
        ))}
      </dl>
    </section>
  );
}

function Names({ names }: { names: string[] | "all" }) {
  if (names === "all") return <>all of its own</>;
  if (names.length === 0) return <span class="quiet">none</span>;
  return <>{names.map((name) => <code key={name} class="name">{brief(name, 80)}</code>)}</>;
}

const IN_BYTES = /memory|bytes|^output$|^log$/;

function limit(name: string, value: unknown): string {
  if (typeof value === "string") return brief(value, 60);
  if (typeof value !== "number") return brief(stringify(value), 60);
  return IN_BYTES.test(name) ? bytes(value) : integer(value);
}
