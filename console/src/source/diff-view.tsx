import { useMemo } from "preact/hooks";
import { cut, visible } from "../text";
import { useWindow } from "../ui/window";
import { readDiff } from "./diff";
import { LINE_HEIGHT } from "./source";

const MARKS = { file: "", hunk: "", same: " ", added: "+", removed: "−" };

export function Diff({ diff }: { diff: string }) {
  const lines = useMemo(() => readDiff(diff), [diff]);
  const { element, first, last, above, below } = useWindow<HTMLDivElement>(lines.length, LINE_HEIGHT);
  if (lines.length === 0) return <p class="quiet">There is no difference between the two.</p>;
  return (
    <div class="source diff" ref={element} tabIndex={0} role="region" aria-label="Difference">
      <div class="lines">
        <div style={{ height: `${above}px` }} />
        {lines.slice(first, last).map((line, i) => (
          <div key={first + i} class={`line ${line.kind}`}>
            <span class="number">{line.before}</span>
            <span class="number">{line.after}</span>
            <code><span class="sign">{MARKS[line.kind]}</span>{visible(cut(line.text, 2_000))}</code>
          </div>
        ))}
        <div style={{ height: `${below}px` }} />
      </div>
    </div>
  );
}
