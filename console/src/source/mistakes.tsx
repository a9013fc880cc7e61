import type { PlaybookMistake } from "../api/types";
import type { PlaybookFile } from "../api/catalog";
import { plural } from "../format";
import { brief, visible } from "../text";
import { LongText } from "../ui/text";

const MOST = 100;
const BEFORE = 60;
const AFTER = 60;

interface MistakesProps {
  mistakes: PlaybookMistake[];
  files: PlaybookFile[];
  onGo: (mistake: PlaybookMistake) => void;
}

/** What is wrong with playbooks, each mistake with its place in the text. */
export function Mistakes({ mistakes, files, onGo }: MistakesProps) {
  return (
    <div class="mistakes" role="alert">
      <p><strong>{plural(mistakes.length, "mistake")}</strong> – nothing was registered.</p>
      <ol>
        {mistakes.slice(0, MOST).map((mistake, i) => (
          <li key={i}>
            <Mistake mistake={mistake} content={contentOf(mistake, files)} onGo={() => onGo(mistake)} />
          </li>
        ))}
      </ol>
      {mistakes.length > MOST && <p class="quiet">and {plural(mistakes.length - MOST, "more")}</p>}
    </div>
  );
}

function contentOf(mistake: PlaybookMistake, files: PlaybookFile[]): string | undefined {
  return (files.find((each) => each.file === mistake.file) ?? (files.length === 1 ? files[0] : undefined))?.content;
}

function Mistake({ mistake, content, onGo }: { mistake: PlaybookMistake; content?: string; onGo: () => void }) {
  const { file, line, column, step, field, message, hint } = mistake;
  const place = [file, line, column].filter((each) => each !== null && each !== undefined).join(":");
  return (
    <>
      <p class="mistake-place">
        {content !== undefined && line
          ? <button type="button" class="link" data-entry onClick={onGo}>{brief(place, 160)}</button>
          : <code>{brief(place, 160)}</code>}
        {step && <span>step <code>{brief(step, 80)}</code></span>}
        {field && <span>field <code>{brief(field, 80)}</code></span>}
      </p>
      <p class="wrap"><LongText text={message} /></p>
      {content !== undefined && line && <Excerpt content={content} line={line} column={column} />}
      {hint && <p class="hint wrap"><LongText text={hint} /></p>}
    </>
  );
}

/** The line of the mistake, with a caret below the place. */
function Excerpt({ content, line, column }: { content: string; line: number; column: number | null }) {
  const text = content.split("\n", line)[line - 1] ?? "";
  // Columns count characters, not units of UTF-16.
  const characters = [...text.slice(0, 20_000)];
  const at = column ? Math.min(column - 1, characters.length) : null;
  const from = Math.max(0, (at ?? 0) - BEFORE);
  const to = (at ?? 0) + AFTER;
  const part = (start: number, end?: number) => visible(characters.slice(start, end).join(""));
  return (
    <pre class="excerpt"><span class="number">{line}</span>
      {from > 0 && "…"}
      {at === null ? part(0, to) : (
        <>
          {part(from, at)}<span class="caret">{part(at, at + 1) || " "}</span>{part(at + 1, to)}
        </>
      )}
      {characters.length > to && "…"}
    </pre>
  );
}
