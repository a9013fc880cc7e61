import { playbookHref } from "../router";
import { brief } from "../text";
import { framesOf, linesNamed } from "../traceback";
import { MaskedText } from "../value/masked";

/** The playbook that an execution ran: where a line of it is shown. */
export interface PlaybookPlace {
  path: string;
  version: number;
  file: string;
}

export const lineHref = (place: PlaybookPlace, line: number) =>
  playbookHref(place.path, { version: place.version, tab: "source", line });

/** An error's message; the playbook's lines that it names are links. */
export function Message({ text, place }: { text: string; place: PlaybookPlace | null }) {
  if (!place || text.length > 5_000) return <MaskedText text={text} />;
  return (
    <>
      {linesNamed(text, place.file).map((piece, i) => piece.line === null
        ? <MaskedText key={i} text={piece.text} />
        : <a key={i} href={lineHref(place, piece.line)}>{brief(piece.text, 300)}</a>)}
    </>
  );
}

/** The frames of a python exception, the innermost last. */
export function Traceback({ traceback, place }: { traceback: unknown; place: PlaybookPlace | null }) {
  const frames = framesOf(traceback);
  if (frames.length === 0) {
    return typeof traceback === "string" ? <pre class="log wrap"><MaskedText text={traceback} /></pre> : null;
  }
  return (
    <ol class="traceback" aria-label="Traceback">
      {frames.map((frame, i) => {
        const where = `${frame.file}:${frame.line}`;
        return (
          <li key={i}>
            {place && frame.file === place.file
              ? <a href={lineHref(place, frame.line)}>{brief(where, 300)}</a>
              : <span>{brief(where, 300)}</span>}
            {frame.function && <> in <code>{brief(frame.function, 120)}</code></>}
            {frame.source && <pre><MaskedText text={frame.source} limit={300} /></pre>}
          </li>
        );
      })}
    </ol>
  );
}
