import { getTool } from "../api/tools";
import type { ToolDocument } from "../api/types";
import { bytes } from "../format";
import { useLoad, useReloads } from "../load";
import { href, route, toolHref } from "../router";
import { brief } from "../text";
import { Abilities, Asks, Imports } from "../tools/abilities";
import { Granted, ToolError, ToolState } from "../tools/badges";
import { StepWriter } from "../tools/step-form";
import { VersionList } from "../tools/version-list";
import { isCompiling } from "../tools/versions";
import { Copy } from "../ui/copy";
import { Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { LongText } from "../ui/text";
import { Time } from "../ui/time";

export function ToolPage({ name }: { name: string }) {
  const version = route.value.query.get("version");
  const loaded = useLoad((signal) => getTool(name, version, signal), [name, version]);
  const { data: tool, problem, reload } = loaded;
  useReloads(loaded, ({ versions }) => versions.some(isCompiling));
  if (!tool) {
    return <Page title={name}>{problem ? <ProblemNote problem={problem} retry={reload} /> : <Loading />}</Page>;
  }
  return (
    <Page title={name} heading={<Heading tool={tool} />}>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {tool.description && <p class="wrap"><LongText text={tool.description} /></p>}
      <Facts tool={tool} />
      <ToolError error={tool.error} />
      <div class="split">
        <section class="card tool"><h2>Asks for</h2><Asks tool={tool} /></section>
        <section class="card tool">
          <h2>Imports</h2>
          <Abilities imports={tool.imports} />
          <Imports imports={tool.imports} />
        </section>
      </div>
      <StepWriter tool={tool} />
      {!tool.built_in && <VersionList tool={tool} reload={reload} />}
    </Page>
  );
}

function Heading({ tool }: { tool: ToolDocument }) {
  return (
    <>
      <a class="crumb" href={href("tools")}>Tools</a>
      <h1>
        <span>{brief(tool.name, 130)}{tool.version && <span class="version">@{brief(tool.version, 60)}</span>}</span>
        <ToolState status={tool.status} progress={tool.progress} />
        <Granted granted={tool.granted} />
      </h1>
    </>
  );
}

function Facts({ tool }: { tool: ToolDocument }) {
  const newest = tool.versions[0]?.digest === tool.digest;
  return (
    <p class="facts">
      {tool.built_in && <span>Came with the server</span>}
      {!newest && <a href={toolHref(tool.name)}>To the newest version</a>}
      {tool.pushed_at && <span>Pushed <b><Time at={tool.pushed_at} /></b>{tool.pushed_by && <> by <b>{brief(tool.pushed_by, 80)}</b></>}</span>}
      {!tool.built_in && <span><b>{tool.signed ? "Signed" : "Not signed"}</b></span>}
      <span>Size <b>{bytes(tool.size)}</b></span>
      <span class="id">{brief(tool.digest, 80)} <Copy text={() => tool.digest} label="" /></span>
    </p>
  );
}
