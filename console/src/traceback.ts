// Where a python step's exception came from.

export interface Frame {
  file: string;
  line: number;
  function: string | null;
  source: string | null;
}

const MOST_FRAMES = 200;
const FRAME = /^\s{0,20}File "([^"\n]{1,1000})", line (\d{1,9})(?:, in ([^\n]{1,500}))?$/;

/** The frames of an error's `details.traceback`: a list of them, or Python's text. */
export function framesOf(traceback: unknown): Frame[] {
  if (typeof traceback === "string") return framesOfText(traceback);
  if (!Array.isArray(traceback)) return [];
  return traceback.slice(-MOST_FRAMES).flatMap((each) => {
    if (typeof each?.file !== "string" || typeof each.line !== "number") return [];
    return [{
      file: each.file,
      line: each.line,
      function: typeof each.function === "string" ? each.function : null,
      source: typeof each.source === "string" ? each.source : null,
    }];
  });
}

function framesOfText(text: string): Frame[] {
  const lines = text.split("\n");
  const frames = lines.flatMap((line, index) => {
    const [, file, number, name] = FRAME.exec(line) ?? [];
    if (file === undefined) return [];
    // The line of code is written below its frame, more to the right.
    const below = lines[index + 1] ?? "";
    const source = /^\s{4}/.test(below) && !FRAME.test(below) ? below.trim() : null;
    return [{ file, line: Number(number), function: name ?? null, source }];
  });
  return frames.slice(-MOST_FRAMES);
}

export interface Piece {
  text: string;
  /** The line of the playbook that this text names. */
  line: number | null;
}

/** A message, cut where it names a line of `file`: `(greet.yaml, line 9, in main)`, `greet.yaml:9:3`. */
export function linesNamed(message: string, file: string): Piece[] {
  if (!file) return [{ text: message, line: null }];
  const name = file.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const place = new RegExp(`${name}(?:"?, line |:)(\\d{1,9})`, "g");
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of message.matchAll(place)) {
    if (match.index > end) pieces.push({ text: message.slice(end, match.index), line: null });
    pieces.push({ text: match[0], line: Number(match[1]) });
    end = match.index + match[0].length;
  }
  if (end < message.length || pieces.length === 0) pieces.push({ text: message.slice(end), line: null });
  return pieces;
}
