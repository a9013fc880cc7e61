// A unified diff, line by line.

export interface DiffLine {
  kind: "file" | "hunk" | "same" | "added" | "removed";
  before: number | null;
  after: number | null;
  text: string;
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

export function readDiff(diff: string): DiffLine[] {
  const lines: DiffLine[] = [];
  let before = 0;
  let after = 0;
  let beforeLeft = 0;
  let afterLeft = 0;
  for (const line of diff.replace(/\n$/, "").split("\n")) {
    const inHunk = beforeLeft > 0 || afterLeft > 0;
    const mark = line[0];
    const text = line.slice(1);
    const hunk = inHunk ? null : HUNK.exec(line);
    if (hunk) {
      before = Number(hunk[1]);
      beforeLeft = Number(hunk[2] ?? 1);
      after = Number(hunk[3]);
      afterLeft = Number(hunk[4] ?? 1);
      lines.push({ kind: "hunk", before: null, after: null, text: line });
    } else if (inHunk && mark === "+") {
      lines.push({ kind: "added", before: null, after: after++, text });
      afterLeft -= 1;
    } else if (inHunk && mark === "-") {
      lines.push({ kind: "removed", before: before++, after: null, text });
      beforeLeft -= 1;
    } else if (inHunk && mark !== "\\") {
      lines.push({ kind: "same", before: before++, after: after++, text });
      beforeLeft -= 1;
      afterLeft -= 1;
    } else if (line !== "") {
      lines.push({ kind: "file", before: null, after: null, text: line });
    }
  }
  return lines;
}
