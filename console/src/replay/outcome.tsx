import type { Difference, Replay } from "../api/types";
import type { Loaded } from "../load";
import { plural } from "../format";
import { brief } from "../text";
import { Loading } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { ValueSection } from "../value/value";
import type { Place } from "./model";

interface OutcomeProps {
  loaded: Loaded<Replay | null>;
  places: Place[];
  onMove: (at: number) => void;
}

/** Whether the server, walking the execution once more, came to what is recorded. */
export function ReplayOutcome({ loaded: { data, problem, reload }, places, onMove }: OutcomeProps) {
  if (problem) return <ProblemNote problem={problem} retry={reload} />;
  if (!data) return <Loading />;
  if (data.same) {
    return <p class="note good outcome-note">Walked once more from its record, running nothing: everything came out as it is recorded.</p>;
  }
  const count = places.length + (data.differences.length > 0 ? 1 : 0);
  return (
    <section class="part note bad outcome-note">
      <h3>Walked once more from its record, {plural(count, "thing")} did not come out as recorded</h3>
      <ul class="plain-list">
        {places.map((place) => (
          <li key={`${place.visit} ${place.step}`}>
            <button type="button" class="link" disabled={place.at < 0} onClick={() => onMove(place.at)}>
              {brief(place.step, 80)}{place.visit > 1 && ` (${place.visit})`}
            </button>: {place.differences.map(({ field }) => brief(field, 40)).join(", ")}
          </li>
        ))}
      </ul>
      <Differences differences={data.differences} />
    </section>
  );
}

/** What is recorded, and what came out now. */
export function Differences({ differences }: { differences: Difference[] }) {
  if (differences.length === 0) return null;
  return (
    <div class="differences">
      {differences.map(({ field, recorded, replayed }) => (
        <div key={field} class="pair">
          <ValueSection title={`${brief(field, 40)}, as recorded`} value={recorded} none="Nothing." />
          <ValueSection title={`${brief(field, 40)}, now`} value={replayed} none="Nothing." />
        </div>
      ))}
    </div>
  );
}
