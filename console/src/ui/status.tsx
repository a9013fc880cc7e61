import { STATUSES, type Status } from "../api/types";
import { brief } from "../text";
import { Icon } from "./icon";

/** A state in colour, shape and word. */
export function StatusBadge({ status, small }: { status: string; small?: boolean }) {
  const known = STATUSES.includes(status as Status) ? (status as Status) : null;
  return (
    <span class={`status ${small ? "small" : ""}`} data-status={known ?? "idle"}>
      <Icon name={known ?? "idle"} />
      {brief(status, 30)}
    </span>
  );
}
