import type { Tool, ToolStatus } from "../api/types";
import { duration } from "../format";
import { brief } from "../text";
import { Icon } from "../ui/icon";
import { LongText } from "../ui/text";

const STATES = { compiling: "running", ready: "success", failed: "failed" } as const;

/** Whether a tool can be used, in colour, shape and word. */
export function ToolState({ status, progress }: { status: ToolStatus; progress?: Tool["progress"] }) {
  const state = Object.hasOwn(STATES, status) ? STATES[status] : "idle";
  return (
    <span class="status" data-status={state}>
      <Icon name={state} />
      {progress ? `${brief(progress.stage, 30)}, ${duration(progress.for_ms)}` : brief(status, 30)}
    </span>
  );
}

export function Granted({ granted }: { granted: boolean }) {
  const state = granted ? "success" : "cancelled";
  return (
    <span class="status" data-status={state}><Icon name={state} />{granted ? "granted" : "not granted"}</span>
  );
}

/** Why it can't be used. */
export function ToolError({ error }: { error: string | undefined }) {
  if (!error) return null;
  return <p class="note bad wrap"><LongText text={error} limit={600} /></p>;
}
