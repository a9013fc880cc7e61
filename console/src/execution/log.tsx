import { useState } from "preact/hooks";
import type { LogEntry } from "../api/types";
import { integer } from "../format";
import { brief } from "../text";
import { MaskedText } from "../value/masked";

const PAGE = 100;

export function Log({ entries }: { entries: LogEntry[] }) {
  const [shown, setShown] = useState(PAGE);
  if (entries.length === 0) return null;
  return (
    <section class="part">
      <h3>Log</h3>
      <ol class="log">
        {entries.slice(0, shown).map((entry, i) => (
          <li key={i} data-level={entry.level}>
            <span class="level">{brief(entry.level, 10)}</span>
            <span class="wrap"><MaskedText text={entry.message} limit={1_000} /></span>
          </li>
        ))}
      </ol>
      {entries.length > shown && (
        <button type="button" onClick={() => setShown(shown + PAGE * 5)}>
          Show more of {integer(entries.length)}
        </button>
      )}
    </section>
  );
}
