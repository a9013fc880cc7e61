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
    <section class="part note bad">
      <h3>
        {brief(error.kind ?? error.category, 120)}
        <span class="quiet"> {brief([error.category, error.code].filter(Boolean).join(" · "), 80)}</span>
      </h3>
      <p class="wrap"><Message text={error.message} place={place} /></p>
      <Traceback traceback={traceback} place={place} />
      <ValueSection title="Details" value={rest} />
    </section>
  );
}
