import { useMemo, useState } from "preact/hooks";
import { deletePlaybook, getPlaybook } from "../api/catalog";
import type { Playbook } from "../api/types";
import { lineHref } from "../execution/traceback";
import { StepDetails } from "../execution/step-details";
import { RunForm } from "../form/run-form";
import { buildGraph } from "../graph/model";
import { GraphView } from "../graph/view";
import { useLoad } from "../load";
import { go, href, playbookHref, route } from "../router";
import { canRun, canWrite } from "../session";
import { Source } from "../source/source";
import { brief, visible } from "../text";
import { Copy } from "../ui/copy";
import { ConfirmButton } from "../ui/dialog";
import { Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { Time } from "../ui/time";
import { ValueSection } from "../value/value";
import { Versions } from "./versions";

const TABS = { graph: "Graph", source: "Source", run: "Run", versions: "Versions" };

export function PlaybookPage({ path }: { path: string }) {
  const { query } = route.value;
  const version = Number(query.get("version")) || null;
  const tab = query.get("tab") ?? "graph";
  const { data: playbook, problem, reload } = useLoad((signal) => getPlaybook(path, version, signal), [path, version]);
  if (!playbook) {
    return <Page title={path}>{problem ? <ProblemNote problem={problem} retry={reload} /> : <Loading />}</Page>;
  }
  const tabs = Object.entries(TABS).filter(([name]) => name !== "run" || canRun.value);
  return (
    <Page title={path} heading={<Heading playbook={playbook} />} actions={<Actions playbook={playbook} />}>
      {playbook.description && <p class="wrap">{visible(playbook.description)}</p>}
      <p class="facts">
        <span>Version <b>{playbook.version}</b>{playbook.latest ? " (latest)" : <> – <a href={playbookHref(path, { tab })}>to the latest</a></>}</span>
        <span>Registered <b><Time at={playbook.registered_at} /></b></span>
        <span>File <b>{brief(playbook.file, 80)}</b></span>
        <span>After a restart: <b>{playbook.on_restart === "resume" ? "goes on" : "fails"}</b></span>
        <a href={href("executions", "", { path })}>Its executions</a>
      </p>
      <nav class="tabs" aria-label="Views of the playbook">
        {tabs.map(([name, title]) => (
          <a key={name} href={playbookHref(path, { version, tab: name })} aria-current={tab === name ? "page" : undefined}>{title}</a>
        ))}
      </nav>
      {tab === "graph" && <Steps playbook={playbook} />}
      {tab === "source" && <SourceTab playbook={playbook} />}
      {tab === "run" && (canRun.value
        ? <RunForm key={playbook.version} playbook={playbook} />
        : <p class="note">Your role may not run playbooks; that takes a runner.</p>)}
      {tab === "versions" && <Versions path={path} shown={playbook.version} />}
    </Page>
  );
}

function Heading({ playbook }: { playbook: Playbook }) {
  return (
    <>
      <a class="crumb" href={href("playbooks")}>Playbooks</a>
      <h1><span>{brief(playbook.path, 160)}<span class="version">@{playbook.version}</span></span></h1>
    </>
  );
}

function Actions({ playbook }: { playbook: Playbook }) {
  const { path, version } = playbook;
  if (!canWrite.value) return null;
  const remove = async () => {
    await deletePlaybook(path, null);
    go(href("playbooks"));
  };
  return (
    <>
      <a class="button" href={href("upload", "", { from: path, version })}>Edit</a>
      <ConfirmButton label="Delete" title="Delete the playbook?" action="Delete all versions" onConfirm={remove}>
        <p>All versions of {brief(path, 200)} are removed. This can't be undone.</p>
      </ConfirmButton>
    </>
  );
}

function Steps({ playbook }: { playbook: Playbook }) {
  const graph = useMemo(() => buildGraph(playbook.steps, null), [playbook]);
  const [chosen, setChosen] = useState<string | null>(null);
  const step = playbook.steps.find((each) => each.name === chosen) ?? null;
  return (
    <div class="split">
      <section class="card graph-card" aria-label="Graph">
        <GraphView graph={graph} ran={false} selected={chosen} onSelect={(name) => setChosen(name === chosen ? null : name)} />
      </section>
      <section class="card details" aria-label="Details">
        {chosen
          ? <StepDetails name={chosen} step={step} place={playbook} />
          : <>
              <h2 class="sr">The whole playbook</h2>
              <ValueSection title="Input and its defaults" value={playbook.workload} none="It takes no input." />
            </>}
      </section>
    </div>
  );
}

function SourceTab({ playbook }: { playbook: Playbook }) {
  const line = Number(route.value.query.get("line")) || null;
  return (
    <section class="card source-card">
      <div class="source-head"><code>{brief(playbook.file, 120)}</code><Copy text={() => playbook.content} /></div>
      <Source content={playbook.content} line={line} hrefOf={(number) => lineHref(playbook, number)} />
    </section>
  );
}
