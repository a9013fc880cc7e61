import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Execution, Next, PlaybookStep, StepRun } from "../api/types";
import { bytes, duration, integer, plural } from "../format";
import { marksOf } from "../graph/model";
import { playbookHref } from "../router";
import { brief, visible } from "../text";
import { StatusBadge } from "../ui/status";
import { Time } from "../ui/time";
import { ValueSection } from "../value/value";
import { Called } from "./called";
import { courseOf } from "./course";
import { Attempts, Items } from "./items";
import { Log } from "./log";
import { StepErrorView } from "./step-error";
import { lineHref, type PlaybookPlace } from "./traceback";

interface StepDetailsProps {
  name: string;
  step: PlaybookStep | null;
  execution?: Execution;
  /** All runs of the step, by their place in the execution; none without an execution. */
  runs?: number[];
  /** The run that is shown; null if the step has not run. */
  index?: number | null;
  place: PlaybookPlace | null;
  onSelect?: (index: number) => void;
  /** What else is to be said of it. */
  children?: ComponentChildren;
}

export function StepDetails({ name, step, execution, runs, index, place, onSelect, children }: StepDetailsProps) {
  const run = execution && typeof index === "number" ? (execution.steps[index] ?? null) : null;
  const marks = marksOf(step);
  return (
    <>
      <div class="details-head">
        <h2>{brief(name, 120)}</h2>
        {run && <StatusBadge status={run.status} />}
        {!run && runs && <span class="quiet">{step?.tool ? "has not run" : "has no tool"}</span>}
        {runs && runs.length > 1 && (
          <select aria-label="Run" value={index ?? ""} onChange={(event) => onSelect?.(Number(event.currentTarget.value))}>
            {runs.map((each, i) => <option key={each} value={each}>Run {i + 1} of {runs.length}</option>)}
          </select>
        )}
      </div>
      {step?.description && <p class="wrap">{visible(step.description)}</p>}
      <p class="facts">
        {(run?.tool ?? step?.tool) && <span>Tool <b>{brief((run?.tool ?? step?.tool)!, 60)}</b></span>}
        {step?.calls && <span>Calls <Callee calls={step.calls} /></span>}
        {marks.length > 0 && <span>{brief(marks.join(" · "), 200)}</span>}
        {step?.task && <span>Task <b>{brief(step.task, 60)}</b></span>}
        {step && !run && step.vars.length > 0 && <span>Sets <b>{brief(step.vars.join(", "), 300)}</b></span>}
        {step && place && <a href={lineHref(place, step.line)}>Line {step.line}</a>}
        {step?.code_line && place && <a href={lineHref(place, step.code_line)}>Code</a>}
        {run && <span>Started <Time at={run.started_at} /></span>}
      </p>
      {run && <Usage run={run} />}
      {children}
      {run?.error && <StepErrorView error={run.error} place={place} />}
      {run && run.items === null && <ValueSection title="Input" value={run.args} none="No arguments." />}
      {run && run.status !== "running" && !run.error &&
        <ValueSection title="Output" value={run.result} none="No output." />}
      {run && <ValueSection title="Variables set" value={run.vars} />}
      {run && execution && <Course execution={execution} index={index!} place={place} />}
      {run && execution && run.tool === "playbook" && <Called parent={execution.execution_id} run={run} />}
      {run?.log && <Log entries={run.log} />}
      {step && !run && <Ways title="Leads to" next={step.next} none={!step.finally} />}
      {step && !run && <Ways title="If it fails, leads to" next={step.on_error} />}
    </>
  );
}

/** The playbook that a step calls; a link, if its path is known before it runs. */
function Callee({ calls: { path, version } }: { calls: NonNullable<PlaybookStep["calls"]> }) {
  if (path.includes("{{")) return <code>{brief(path, 160)}</code>;
  return <a href={playbookHref(path, { version })}>{brief(path, 160)}{version !== null && <span class="version">@{version}</span>}</a>;
}

/** What happened in a run: its attempts, its items, the rows that it wrote. */
function Course({ execution, index, place }: { execution: Execution; index: number; place: PlaybookPlace | null }) {
  const { attempts, items, sink } = useMemo(() => courseOf(execution.events, index), [execution.events, index]);
  return (
    <>
      {sink && <p>{plural(sink.rows, "row")} went into <code>{brief(sink.table, 160)}</code>.</p>}
      <Attempts attempts={attempts} />
      <Items items={items} place={place} />
    </>
  );
}

function Usage({ run }: { run: StepRun }) {
  const ended = run.status !== "running";
  const used: [string, string | null][] = [
    ["Took", known(run.duration_ms, duration)],
    ["Items", run.items === null ? null : ended && run.items === run.items_finished
      ? integer(run.items) : `${integer(run.items_finished)} of ${integer(run.items)}`],
    [ended ? "Attempts" : "Failed attempts", known(run.attempts, integer)],
    ["Queued", known(run.queued_ms, duration)],
    ["CPU", known(run.cpu_ms, duration)],
    ["Memory", known(run.memory_bytes, bytes)],
    ["Host calls", known(run.host_calls, integer)],
  ];
  if (used.every(([, value]) => value === null)) return null;
  return (
    <dl class="usage">
      {used.map(([name, value]) => value !== null && <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

const known = (value: number | null, format: (value: number) => string) => (value === null ? null : format(value));

/** Where a step leads. `none`: it is said if that is nowhere. */
function Ways({ title, next, none }: { title: string; next: Next[]; none?: boolean }) {
  if (next.length === 0) return none ? <p class="quiet">This way ends here.</p> : null;
  return (
    <section class="part">
      <h3>{title}</h3>
      <ul class="plain-list">
        {next.map((way, i) => (
          <li key={i}>
            {way.when !== null && <><code>{brief(way.when, 200)}</code> → </>}
            {way.default && <>otherwise → </>}
            {brief(way.then.join(", "), 300)}
          </li>
        ))}
      </ul>
    </section>
  );
}
