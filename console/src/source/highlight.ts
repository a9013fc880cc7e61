// Colours for a playbook's lines. Each is taken by itself, except that the text
// of a block (`code: |`) is known by the lines before it.

export type Colour = "plain" | "key" | "text" | "value" | "comment" | "template" | "mark" | "code";

export interface Token {
  colour: Colour;
  text: string;
}

/** Whether each line lies inside of a block scalar. */
export function blockLines(lines: string[]): boolean[] {
  let within = -1;
  return lines.map((line) => {
    const indent = line.search(/[^ ]/);
    if (within >= 0 && (indent < 0 || indent > within)) return true;
    within = BLOCK.test(line.length > LONGEST ? "" : line) ? blockIndent(line) : -1;
    return false;
  });
}

const LONGEST = 500;
const BLOCK = /(?:^|[:\-]\s+)[|>][+\-1-9]{0,2}\s*(?:#.*)?$/;

/** The indentation that a block's text must exceed: that of its key. */
function blockIndent(line: string): number {
  return /^[ ]*(?:- +)*/.exec(line)![0].length - (/^[ ]*(?:- +)*[|>]/.test(line) ? 2 : 0);
}

const TEMPLATE = String.raw`(?<template>\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})`;
const IN_TEXT = new RegExp(TEMPLATE, "g");
const IN_BLOCK = new RegExp(String.raw`${TEMPLATE}|(?<comment>(?<=^\s*)#.*$)`, "g");
const IN_YAML = new RegExp(
  [
    String.raw`(?<comment>(?<=^|\s)#.*$)`,
    String.raw`(?<key>(?<=^[ ]*(?:- +)*|[{,] *)[\w.$-]+(?= *:(?: |$)))`,
    String.raw`(?<text>"(?:[^"\\]|\\.)*"?|'[^']*'?)`,
    TEMPLATE,
    String.raw`(?<value>(?<=[:,[\-] +)(?:-?\d+(?:\.\d+)?|true|false|null|~)(?=\s*(?:$|[,\]}#])))`,
    String.raw`(?<mark>(?<=^[ ]*(?:- +)*)- |[{}[\],|>])`,
  ].join("|"),
  "g",
);

/** The tokens of a line. */
export function tokens(line: string, inBlock: boolean): Token[] {
  if (line.length > LONGEST) return [{ colour: "plain", text: line }];
  if (inBlock) return split(line, IN_BLOCK, "code");
  return split(line, IN_YAML, "plain").flatMap((token) =>
    token.colour === "text" ? split(token.text, IN_TEXT, "text") : [token]);
}

function split(line: string, pattern: RegExp, rest: Colour): Token[] {
  const found: Token[] = [];
  let end = 0;
  for (const match of line.matchAll(pattern)) {
    const [colour] = Object.entries(match.groups!).find(([, text]) => text !== undefined)!;
    if (match.index > end) found.push({ colour: rest, text: line.slice(end, match.index) });
    found.push({ colour: colour as Colour, text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < line.length) found.push({ colour: rest, text: line.slice(end) });
  return found;
}
