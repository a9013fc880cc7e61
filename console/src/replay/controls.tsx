import { useEffect, useState } from "preact/hooks";
import type { Execution, ExecutionEvent } from "../api/types";
import { duration, integer } from "../format";
import { isTypedInto } from "../keys";
import { brief } from "../text";
import { Icon, type IconName } from "../ui/icon";
import { said } from "./model";

/** How long each event is shown while it plays, in ms. */
const PACE = 900;

interface ControlsProps {
  execution: Execution;
  /** The event that has happened last, counted from 0. */
  at: number;
  onMove: (at: number) => void;
  onClose: () => void;
}

/** Steps through what is recorded of an execution. */
export function ReplayControls({ execution, at, onMove, onClose }: ControlsProps) {
  const { events } = execution;
  const last = events.length - 1;
  const [playing, setPlaying] = useState(false);
  const move = (to: number) => {
    setPlaying(false);
    onMove(Math.min(Math.max(to, 0), last));
  };
  const play = () => {
    setPlaying(!playing);
    if (!playing && at === last) onMove(0);
  };

  useEffect(() => {
    if (!playing) return;
    if (at === last) return setPlaying(false);
    const timer = setTimeout(() => onMove(at + 1), PACE);
    return () => clearTimeout(timer);
  }, [playing, at]);
  useArrows((by) => move(at + by));

  const event = events[at]!;
  return (
    <>
      <div class="replay-controls" role="group" aria-label="Move through the replay">
        <Control icon="first" label="First event" disabled={at === 0} onClick={() => move(0)} />
        <Control icon="back" label="Back" disabled={at === 0} onClick={() => move(at - 1)} />
        <Control icon={playing ? "pause" : "play"} label={playing ? "Pause" : "Play"} disabled={last === 0} onClick={play} />
        <Control icon="forward" label="Forward" disabled={at === last} onClick={() => move(at + 1)} />
        <Control icon="last" label="Last event" disabled={at === last} onClick={() => move(last)} />
        <input type="range" aria-label="Event" aria-valuetext={brief(said(event), 300)} min={1} max={last + 1} value={at + 1}
          onInput={(input) => move(Number(input.currentTarget.value) - 1)} />
        <button type="button" class="quiet-button" onClick={onClose}>Close</button>
      </div>
      <p class="replay-event" role="status">
        <span class="quiet">{integer(at + 1)} of {integer(last + 1)}, after {duration(since(execution, event))}</span>{" "}
        {brief(said(event), 300)}
      </p>
    </>
  );
}

const since = ({ events }: Execution, { at }: ExecutionEvent) => Date.parse(at) - Date.parse(events[0]!.at);

interface ControlProps {
  icon: IconName;
  label: string;
  disabled: boolean;
  onClick: () => void;
}

// One that has the focus keeps it when it can go no further.
function Control({ icon, label, disabled, onClick }: ControlProps) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} aria-disabled={disabled}
      onClick={() => !disabled && onClick()}>
      <Icon name={icon} />
    </button>
  );
}

/** Left and right, wherever the focus is that has no use for them itself. */
function useArrows(onArrow: (by: number) => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (by === 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
      if (isTypedInto(event.target as HTMLElement) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      onArrow(by);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });
}
