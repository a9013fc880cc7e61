import { now } from "../clock";
import { distance, duration, moment } from "../format";
import { brief } from "../text";

/** A point in time, as the distance to now; the time itself when pointed at. */
export function Time({ at }: { at: string }) {
  return <time dateTime={at} title={moment(at)}>{brief(distance(at, now.value), 40)}</time>;
}

/** How long something took, or takes until now. */
export function Took({ from, to }: { from: string; to: string | null }) {
  const ms = (to ? Date.parse(to) : Math.max(now.value, Date.parse(from))) - Date.parse(from);
  return <>{Number.isNaN(ms) ? "–" : duration(ms)}</>;
}
