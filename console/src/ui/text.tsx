import { useState } from "preact/hooks";
import { bytes } from "../format";
import { cut, visible } from "../text";

const BLOCK = 16_000;

/** A text that a stranger wrote: its beginning, and all of it on request. */
export function LongText({ text, limit = 2_000 }: { text: string; limit?: number }) {
  const [all, setAll] = useState(false);
  if (text.length <= limit) return <>{visible(text)}</>;
  const toggle = (
    <button type="button" class="link show-all" onClick={() => setAll(!all)}>
      {all ? "Show less" : `Show all ${bytes(text.length)}`}
    </button>
  );
  if (!all) return <>{visible(cut(text, limit))}… {toggle}</>;
  return <>{toggle}{blocks(text).map((block, i) => <span key={i} class="block">{visible(block)}</span>)}</>;
}

/** In blocks, of which the browser lays out only those in view. */
function blocks(text: string): string[] {
  const parts = [];
  for (let at = 0; at < text.length; ) {
    const part = cut(text.slice(at, at + BLOCK + 1), BLOCK);
    parts.push(part);
    at += part.length;
  }
  return parts;
}
