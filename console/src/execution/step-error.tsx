import type { StepError } from "../api/types";
import { isMapping } from "../form/model";
import { brief } from "../text";
import { ValueSection } from "../value/value";
import { Message, Traceback, type PlaybookPlace } from "./traceback";

/** Why a step failed. */
export function StepErrorView({ error, place }: { error: StepError; place: PlaybookPlace | null }) {
  const { traceback, ...details } = isMapping(error.details) ? error.details : { traceback: null };
  const rest = isMapping(error.details) ? details : error.details;
  return (
    <section class={`part note ${error.category === "cancelled" ? "" : "bad"}`}>
      <ErrorTitle error={error} />
      <p class="wrap"><Message text={error.message} place={place} /></p>
      <Traceback traceback={traceback} place={place} />
      <ValueSection title="Details" value={rest} />
    </section>
  );
}

/** What kind of error it is: an exception's class, or the category alone. */
export function ErrorTitle({ error }: { error: { category: string; kind: string | null; code?: string | null } }) {
  const { category, kind, code } = error;
  const more = [kind && kind !== category ? category : null, code].filter(Boolean).join(" · ");
  return <h3>{brief(kind ?? category, 120)} <span class="quiet">{brief(more, 80)}</span></h3>;
}
