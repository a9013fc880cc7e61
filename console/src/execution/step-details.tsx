import type { PlaybookStep, StepRun } from "../api/types";
import { bytes, duration, integer } from "../format";
import { brief, visible } from "../text";
import { StatusBadge } from "../ui/status";
import { Time } from "../ui/time";
import { ValueSection } from "../value/value";
import { Log } from "./log";
import { StepErrorView } from "./step-error";
import { lineHref, type PlaybookPlace } from "./traceback";

interface StepDetailsProps {
  name: string;
  step: PlaybookStep | null;
  /** The run that is shown; null if the step has not run. */
  run?: StepRun | null;
  /** All runs of the step, by their place in the execution; none without an execution. */
  runs?: number[];
  index?: number | null;
  place: PlaybookPlace | null;
  onSelect?: (index: number) => void;
}

export function StepDetails({ name, step, run, runs, index, place, onSelect }: StepDetailsProps) {
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
        {step?.task && <span>Task <b>{brief(step.task, 60)}</b></span>}
        {step && !run && step.vars.length > 0 && <span>Sets <b>{brief(step.vars.join(", "), 300)}</b></span>}
        {step && place && <a href={lineHref(place, step.line)}>Line {step.line}</a>}
        {step?.code_line && place && <a href={lineHref(place, step.code_line)}>Code</a>}
        {run && <span>Started <Time at={run.started_at} /></span>}
      </p>
      {run && <Usage run={run} />}
      {run?.error && <StepErrorView error={run.error} place={place} />}
      {run && <ValueSection title="Input" value={run.args} none="No arguments." />}
      {run && run.status !== "running" && !run.error &&
        <ValueSection title="Output" value={run.result} none="No output." />}
      {run && <ValueSection title="Variables set" value={run.vars} />}
      {run?.log && <Log entries={run.log} />}
      {step && !run && <Ways step={step} />}
    </>
  );
}

function Usage({ run }: { run: StepRun }) {
  const used: [string, number | null, (n: number) => string][] = [
    ["Took", run.duration_ms, duration],
    ["Queued", run.queued_ms, duration],
    ["CPU", run.cpu_ms, duration],
    ["Memory", run.memory_bytes, bytes],
    ["Host calls", run.host_calls, integer],
  ];
  const known = used.filter(([, value]) => value !== null);
  if (known.length === 0) return null;
  return (
    <dl class="usage">
      {known.map(([name, value, format]) => <div key={name}><dt>{name}</dt><dd>{format(value!)}</dd></div>)}
    </dl>
  );
}

/** Where a step leads. */
function Ways({ step }: { step: PlaybookStep }) {
  if (step.next.length === 0) return <p class="quiet">This way ends here.</p>;
  return (
    <section class="part">
      <h3>Leads to</h3>
      <ul class="plain-list">
        {step.next.map((next, i) => (
          <li key={i}>
            {next.when !== null && <><code>{brief(next.when, 200)}</code> → </>}
            {next.default && <>otherwise → </>}
            {brief(next.then.join(", "), 300)}
          </li>
        ))}
      </ul>
    </section>
  );
}
