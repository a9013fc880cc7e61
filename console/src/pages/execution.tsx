import { useMemo, useState } from "preact/hooks";
import { getPlaybook } from "../api/catalog";
import { getReplay } from "../api/executions";
import type { Execution } from "../api/types";
import { now } from "../clock";
import { ExecutionActions } from "../execution/actions";
import { StepDetails } from "../execution/step-details";
import { ErrorTitle } from "../execution/step-error";
import { Message, type PlaybookPlace } from "../execution/traceback";
import { useExecution } from "../execution/use-execution";
import { moment } from "../format";
import { buildGraph } from "../graph/model";
import { GraphView } from "../graph/view";
import { useLoad } from "../load";
import { ReplayControls } from "../replay/controls";
import { differencesOf, momentAt, placeOf, placesOf, timelineAt, timeOf, varsAfter } from "../replay/model";
import { Differences, ReplayOutcome } from "../replay/outcome";
import { executionHref, href, playbookHref, route, setQuery } from "../router";
import { brief } from "../text";
import { buildTimeline } from "../timeline/model";
import { TimelineView } from "../timeline/view";
import { Copy } from "../ui/copy";
import { Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { StatusBadge } from "../ui/status";
import { Time, Took } from "../ui/time";
import { ValueSection } from "../value/value";

export function ExecutionPage({ id }: { id: string }) {
  const { execution, problem, live, reload } = useExecution(id);
  if (!execution) {
    return (
      <Page title={`Execution ${id}`}>
        {problem ? <ProblemNote problem={problem} retry={reload} /> : <Loading />}
      </Page>
    );
  }
  return (
    <Page title={execution.path} tab={`${execution.status} · ${execution.path}`} heading={<Heading execution={execution} />}
      actions={<ExecutionActions execution={execution} onChange={reload} />}>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {live === "broken" && <p class="note">The connection broke; what is shown may be old. Connecting again…</p>}
      <Facts execution={execution} />
      <Body execution={execution} />
    </Page>
  );
}

function Heading({ execution }: { execution: Execution }) {
  const { path, version, status } = execution;
  return (
    <>
      <a class="crumb" href={href("executions")}>Executions</a>
      <h1>
        <a href={playbookHref(path, { version })}>{brief(path, 160)}<span class="version">@{version}</span></a>
        <StatusBadge status={status} />
      </h1>
    </>
  );
}

function Facts({ execution }: { execution: Execution }) {
  const { execution_id: id, started_at, finished_at, started_by, rerun_of, parent, parent_step, resumed, status } = execution;
  return (
    <p class="facts">
      <span title={moment(started_at)}>Started <b><Time at={started_at} /></b></span>
      {(finished_at || status === "running") &&
        <span>{finished_at ? "Took" : "Running for"} <b><Took from={started_at} to={finished_at} /></b></span>}
      {started_by && <span>By <b>{brief(started_by, 60)}</b></span>}
      {resumed > 0 && <span class="tag">Resumed {resumed === 1 ? "once" : `${resumed} times`} after the server stopped</span>}
      {parent && <span>Called by <a href={executionHref(parent, { step: parent_step })}>{brief(parent_step ?? parent, 60)}</a></span>}
      {rerun_of && <span>Runs <a href={executionHref(rerun_of)}>{brief(rerun_of, 40)}</a> again</span>}
      <span class="id">{brief(id, 60)} <Copy text={() => id} label="" /></span>
    </p>
  );
}

function Body({ execution }: { execution: Execution }) {
  const { execution_id: id, path, version, steps, events, status } = execution;
  // It may have been removed from the catalog since.
  const { data: playbook, loading } = useLoad((signal) => getPlaybook(path, version, signal), [path, version]);
  const at = status === "running" ? null : placeOf(route.value.query.get("at"), events.length);
  const moment = useMemo(() => (at === null ? null : momentAt(execution, at)), [execution, at]);
  const replay = useLoad(async (signal) => (at === null ? null : getReplay(id, signal)), [id, at !== null]);
  const places = useMemo(() => (replay.data ? placesOf(replay.data, events) : []), [replay.data, events]);
  const marked = useMemo(() => new Set(places.map(({ step }) => step)), [places]);
  const shown = moment ?? execution;
  const graph = useMemo(() => buildGraph(playbook?.steps ?? [], shown), [playbook, shown]);
  const running = steps.some((run) => run.status === "running");
  const tick = running ? now.value : 0;
  const whole = useMemo(() => buildTimeline(steps, Date.now()), [steps, tick]);
  const timeline = useMemo(() => (moment ? timelineAt(whole, moment) : whole), [whole, moment]);
  const resumed = useMemo(
    () => events.filter(({ event }) => event === "execution_resumed").map((event) => Date.parse(event.at)),
    [events]);
  const place: PlaybookPlace | null = playbook && { path, version, file: playbook.file };

  const chosen = route.value.query.get("step");
  const [run, setRun] = useState<number | null>(null);
  const runs = shown.steps.flatMap((each, i) => (each.step === chosen ? [i] : []));
  const index = run !== null && runs.includes(run) ? run : (runs.at(-1) ?? null);
  const selectRun = (i: number) => {
    setRun(i);
    setQuery({ step: steps[i]!.step });
  };
  const selectStep = (name: string) => {
    setRun(null);
    setQuery({ step: name === chosen ? null : name });
  };
  const moveTo = (to: number) => {
    setRun(null);
    setQuery({ at: to + 1, step: events[to]!.step });
  };

  return (
    <>
      {at !== null && (
        <section class="card replay" aria-label="Replay">
          <ReplayControls execution={execution} at={at} onMove={moveTo} onClose={() => setQuery({ at: null })} />
          <ReplayOutcome loaded={replay} places={places} onMove={moveTo} />
        </section>
      )}
      <section class="card timeline-card" aria-label="Timeline">
        <TimelineView timeline={timeline} resumed={resumed} moment={moment && timeOf(moment)} selected={index} onSelect={selectRun} />
      </section>
      <div class="split">
        <section class="card graph-card" aria-label="Graph">
          {!loading && <GraphView graph={graph} ran selected={chosen} marked={marked} onSelect={selectStep} />}
          {!loading && !playbook && <p class="quiet">This version of the playbook is no longer in the catalog.</p>}
        </section>
        <section class="card details" aria-label={chosen ? "The selected step" : "The execution"}>
          {chosen
            ? <>
                <button type="button" class="link back" onClick={() => setQuery({ step: null })}>← The whole execution</button>
                <StepDetails key={`${chosen} ${index}`} name={chosen} step={playbook?.steps.find((each) => each.name === chosen) ?? null}
                  execution={shown} runs={runs} index={index} place={place} onSelect={selectRun}>
                  {index !== null && <Differences differences={differencesOf(places, shown.steps, index)} />}
                </StepDetails>
              </>
            : <Whole execution={shown} place={place} />}
          {moment && <ValueSection title="Variables at this moment" value={varsAfter(moment.events)} none="None are set." />}
        </section>
      </div>
    </>
  );
}

function Whole({ execution, place }: { execution: Execution; place: PlaybookPlace | null }) {
  const { error, payload, result, status } = execution;
  return (
    <>
      <h2 class="sr">The whole execution</h2>
      {error && (
        <section class={`part note ${status === "failed" ? "bad" : ""}`}>
          <ErrorTitle error={error} />
          {error.step && (
            <p>in step <button type="button" class="link" onClick={() => setQuery({ step: error.step })}>{brief(error.step, 80)}</button></p>
          )}
          <p class="wrap"><Message text={error.message} place={place} /></p>
        </section>
      )}
      <ValueSection title="Payload" value={payload} none="Nothing was sent; the playbook's defaults stand." />
      {status !== "running" && !error && <ValueSection title="Result" value={result} none="No result." />}
      <p class="quiet">Choose a step to see what went in and came out.</p>
    </>
  );
}
