// Values as YAML, so that what is copied is what is seen.

import { stringify } from "../api/json";
import { isMapping } from "../form/model";
import { visible } from "../text";

/** Writes a mapping or a list, its members on lines of their own. */
export function writeYaml(value: Record<string, unknown> | unknown[]): string {
  return `${hasMembers(value) ? block(value, "").join("\n") : stringify(value)}\n`;
}

type Container = Record<string, unknown> | unknown[];

function hasMembers(value: unknown): value is Container {
  return Array.isArray(value) ? value.length > 0 : isMapping(value) && Object.keys(value).length > 0;
}

function block(value: Container, indent: string): string[] {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (!hasMembers(item)) return [`${indent}- ${scalar(item, deeper)}`];
      const [first = "", ...rest] = block(item, deeper);
      return [`${indent}- ${first.slice(deeper.length)}`, ...rest];
    });
  }
  return Object.entries(value).flatMap(([name, member]) => {
    const key = `${indent}${inLine(name)}:`;
    return hasMembers(member) ? [key, ...block(member, deeper)] : [`${key} ${scalar(member, deeper)}`];
  });
}

function scalar(value: unknown, indent: string): string {
  if (typeof value !== "string") return stringify(value);
  return BLOCK.test(value) && isClean(value) ? literal(value, indent) : inLine(value);
}

// Lines that neither begin the text with a space nor end with one.
const BLOCK = /^[^\s](?:[^\n]*[^\s])?(?:\n+(?:[^\n]*[^\s]))+\n?$/;
const PLAIN = /^\p{L}[\p{L}\p{N}_./@-]*(?: [\p{L}\p{N}_./@-]+)*$/u;
/** What YAML, of whichever version, takes for something else than a text. */
const WORDS = /^(?:true|false|null|yes|no|on|off)$/i;

/** Whether it can be written as it is. */
const isClean = (text: string) => !text.includes("\t") && visible(text) === text;

function literal(text: string, indent: string): string {
  const ends = text.endsWith("\n");
  const lines = (ends ? text.slice(0, -1) : text).split("\n");
  return [ends ? "|" : "|-", ...lines.map((line) => line && `${indent}${line}`)].join("\n");
}

function inLine(text: string): string {
  if (PLAIN.test(text) && !WORDS.test(text)) return text;
  if (!text.includes("\n") && isClean(text)) return `'${text.replaceAll("'", "''")}'`;
  return visible(JSON.stringify(text), escaped);
}

function escaped(code: number): string {
  const hex = code.toString(16);
  return code > 0xffff ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
}
