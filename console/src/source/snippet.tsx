import { Fragment } from "preact";
import { useMemo } from "preact/hooks";
import { blockLines } from "./highlight";
import { Line } from "./source";

/** A few lines of YAML. */
export function Snippet({ text }: { text: string }) {
  const lines = useMemo(() => text.replace(/\n$/, "").split("\n"), [text]);
  const blocks = useMemo(() => blockLines(lines), [lines]);
  return (
    <pre class="snippet" tabIndex={0} role="region" aria-label="YAML">
      {lines.map((line, i) => <Fragment key={i}><Line text={line} inBlock={blocks[i] ?? false} />{"\n"}</Fragment>)}
    </pre>
  );
}
