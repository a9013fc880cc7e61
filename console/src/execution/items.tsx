import { useState } from "preact/hooks";
import { duration, integer } from "../format";
import { brief } from "../text";
import { StatusBadge } from "../ui/status";
import { MaskedText } from "../value/masked";
import { ValueSection } from "../value/value";
import type { Attempt, Item } from "./course";
import { Log } from "./log";
import { StepErrorView } from "./step-error";
import type { PlaybookPlace } from "./traceback";

const PAGE = 50;

/** Attempts that were made again, and why. */
export function Attempts({ attempts }: { attempts: Attempt[] }) {
  const [shown, setShown] = useState(PAGE);
  if (attempts.length === 0) return null;
  return (
    <section class="part attempts">
      <h3>Tried again</h3>
      <ol class="plain-list">
        {attempts.slice(0, shown).map((attempt, i) => (
          <li key={i}>
            {attempt.index !== null && <>Item {attempt.index + 1}, </>}attempt {attempt.attempt}:{" "}
            {attempt.error
              ? <><b>{brief(attempt.error.kind ?? attempt.error.category, 60)}</b> <MaskedText text={attempt.error.message} limit={300} /></>
              : "not what was wanted"}
            <span class="quiet"> – waited {duration(attempt.wait_ms)}</span>
          </li>
        ))}
      </ol>
      <More of={attempts.length} shown={shown} onMore={setShown} />
    </section>
  );
}

/** The items of a loop that have ended. */
export function Items({ items, place }: { items: Item[]; place: PlaybookPlace | null }) {
  const [shown, setShown] = useState(PAGE);
  if (items.length === 0) return null;
  return (
    <section class="part">
      <h3>Items</h3>
      <ol class="items">
        {items.slice(0, shown).map((item) => <li key={item.index}><ItemView item={item} place={place} /></li>)}
      </ol>
      <More of={items.length} shown={shown} onMore={setShown} />
    </section>
  );
}

function ItemView({ item, place }: { item: Item; place: PlaybookPlace | null }) {
  const [open, setOpen] = useState(false);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Item {item.index + 1} <StatusBadge status={item.status} small />{" "}
        <span class="quiet">{duration(item.duration_ms)}{item.attempts > 1 && `, ${item.attempts} attempts`}</span>
      </summary>
      {open && (
        <div class="item">
          {item.error && <StepErrorView error={item.error} place={place} />}
          <ValueSection title="Input" value={item.args} none="No arguments." />
          {!item.error && <ValueSection title="Output" value={item.result} none="No output." />}
          <Log entries={item.log} />
        </div>
      )}
    </details>
  );
}

function More({ of, shown, onMore }: { of: number; shown: number; onMore: (shown: number) => void }) {
  if (of <= shown) return null;
  return <button type="button" onClick={() => onMore(shown + PAGE * 4)}>Show more of {integer(of)}</button>;
}
