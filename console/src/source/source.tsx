import { useEffect, useMemo } from "preact/hooks";
import { cut, visible } from "../text";
import { useWindow } from "../ui/window";
import { blockLines, tokens } from "./highlight";

export const LINE_HEIGHT = 20;
const LONGEST_LINE = 2_000;

interface SourceProps {
  content: string;
  /** The line to show and to mark. */
  line: number | null;
  hrefOf: (line: number) => string;
}

/** A playbook's text with line numbers. */
export function Source({ content, line, hrefOf }: SourceProps) {
  const lines = useMemo(() => content.replace(/\r?\n$/, "").split(/\r?\n/), [content]);
  const blocks = useMemo(() => blockLines(lines), [lines]);
  const { element, first, last, above, below } = useWindow<HTMLDivElement>(lines.length, LINE_HEIGHT);

  useEffect(() => {
    const scroller = element.current;
    if (!scroller || line === null) return;
    scroller.scrollTop = (line - 1) * LINE_HEIGHT - scroller.clientHeight / 3;
  }, [line, lines]);

  return (
    <div class="source" ref={element} tabIndex={0} role="region" aria-label="Source">
      <div class="lines">
        <div style={{ height: `${above}px` }} />
        {lines.slice(first, last).map((text, i) => {
          const number = first + i + 1;
          return (
            <div key={number} class={`line ${number === line ? "marked" : ""}`}>
              <a class="number" href={hrefOf(number)} tabIndex={-1} aria-label={`Line ${number}`}>{number}</a>
              <code><Line text={text} inBlock={blocks[first + i] ?? false} /></code>
            </div>
          );
        })}
        <div style={{ height: `${below}px` }} />
      </div>
    </div>
  );
}

/** A line in its colours. */
export function Line({ text, inBlock }: { text: string; inBlock: boolean }) {
  const shown = cut(text, LONGEST_LINE);
  return (
    <>
      {tokens(shown, inBlock).map((token, i) => <span key={i} class={`t-${token.colour}`}>{visible(token.text)}</span>)}
      {shown.length < text.length && <span class="quiet">… {text.length - shown.length} more characters</span>}
    </>
  );
}
