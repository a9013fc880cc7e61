// A form for a playbook's input, made from the defaults in its `workload`.
// `json-schema.ts` makes one from a schema.

import { parse, parseTyped, stringify } from "../api/json";
import { isSecretKey } from "../mask";

export type Kind = "text" | "number" | "boolean" | "json" | "choice" | "lines";

export interface Field {
  name: string;
  kind: Kind;
  default: unknown;
  secret: boolean;
  /** What it is for. */
  description?: string;
  /** What the input takes, if the kind doesn't say all. */
  hint?: string;
  required?: boolean;
  /** The values to choose from, as JSON. */
  choices?: string[];
}

/** What stands in the form's inputs: text, as it was typed. */
export type Inputs = Record<string, { kind: Kind; text: string }>;

export interface Payload {
  /** What differs from the defaults. */
  payload: Record<string, unknown>;
  /** By field. */
  errors: Record<string, string>;
  /** By field: what does not go as it may be meant. */
  warnings: Record<string, string>;
}

export function fieldsOf(workload: Record<string, unknown>): Field[] {
  return Object.entries(workload).map(([name, value]) => ({
    name,
    kind: kindOf(value),
    default: value,
    secret: isSecretKey(name) && (typeof value === "string" || value === null),
  }));
}

function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case "string": return "text";
    case "number":
    case "bigint": return "number";
    case "boolean": return "boolean";
    default: return "json";
  }
}

export function inputsOf(fields: Field[]): Inputs {
  return Object.fromEntries(fields.map((field) =>
    [field.name, { kind: field.kind, text: textOf(field.default) }]));
}

/** A value as it stands in an input. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : stringify(value, 2);
}

export function payloadOf(fields: Field[], inputs: Inputs): Payload {
  const result: Payload = { payload: {}, errors: {}, warnings: {} };
  for (const field of fields) {
    const input = inputs[field.name];
    if (!input) continue;
    try {
      const value = valueOf(input.kind, input.text);
      if (stringify(value) === stringify(field.default)) continue;
      setOwn(result.payload, field.name, value);
      const kept = keysKept(field.default, value);
      if (kept.length > 0) {
        setOwn(result.warnings, field.name,
          `The input is merged over the default, so ${kept.join(", ")} stays as it is there.`);
      }
    } catch (error) {
      setOwn(result.errors, field.name, (error as Error).message);
    }
  }
  return result;
}

function valueOf(kind: Kind, text: string): unknown {
  switch (kind) {
    case "text": return text;
    case "boolean": return text === "true";
    case "number": return readNumber(text);
    case "json": return readJson(text);
    case "choice": return parse(text);
    case "lines": return text.split("\n");
  }
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const LEAST = -(2n ** 63n);
const MOST = 2n ** 64n - 1n;

/** Reads a number; an integer keeps all its digits. */
export function readNumber(text: string): number | bigint {
  const trimmed = text.trim();
  if (!NUMBER.test(trimmed)) throw new Error("This is no number, such as 42 or -1.5e3.");
  const value = parse(trimmed) as number | bigint;
  if (typeof value === "bigint" && (value < LEAST || value > MOST)) {
    throw new Error("Integers go from -2^63 to 2^64-1; larger ones have to be text.");
  }
  if (value === Infinity || value === -Infinity) throw new Error("This number is too large.");
  return value;
}

/** Reads what a person wrote as JSON; an error names line and column. */
export function readJson(text: string): unknown {
  if (text.trim() === "") throw new Error("This is empty; JSON has null for nothing.");
  try {
    return parseTyped(text);
  } catch (error) {
    const { message } = error as Error;
    const at = /position (\d+)/.exec(message)?.[1];
    if (at === undefined) throw new Error(`This is no JSON: ${message}`);
    const before = text.slice(0, Number(at)).split("\n");
    const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
    throw new Error(`This is no JSON (${place}): ${message.replace(/ at position.*$/s, "")}`);
  }
}

/** Keys of a default mapping that were taken out, and come back when it is merged. */
function keysKept(before: unknown, now: unknown): string[] {
  if (!isMapping(before) || !isMapping(now)) return [];
  return Object.keys(before).filter((key) => !Object.hasOwn(now, key));
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Sets a member whatever its name, `__proto__` too. */
function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
