// What a form of a JSON Schema says: values, and mistakes at their fields.

import { parse, stringify } from "../api/json";
import { fieldsIn, isGroup, type Part, type SchemaField } from "./json-schema";
import { isMapping, readJson, readNumber, textOf, type Inputs } from "./model";

/** By the fields' ids. */
export type Errors = Record<string, string>;

export function startOf(parts: Part[]): Inputs {
  return Object.fromEntries(parts.flatMap(fieldsIn).map((field) => [field.id, { kind: field.kind, text: startText(field) }]));
}

function startText(field: SchemaField): string {
  if (field.default === undefined) return "";
  return field.kind === "choice" ? stringify(field.default) : textOf(field.default);
}

/**
 * What is written for a part; undefined if it is left out. Mistakes are put into
 * `errors`.
 */
export function valueOf(part: Part, inputs: Inputs, errors: Errors): unknown {
  if (isGroup(part)) {
    const untouched = fieldsIn(part).every((field) => textIn(inputs, field) === startText(field));
    if (!part.required && untouched) return undefined;
    const members = part.parts.map((each): [string, unknown] => [each.key, valueOf(each, inputs, errors)]);
    return Object.fromEntries(members.filter(([, value]) => value !== undefined));
  }
  try {
    return fieldValue(part, textIn(inputs, part));
  } catch (error) {
    errors[part.id] = (error as Error).message;
    return undefined;
  }
}

const textIn = (inputs: Inputs, field: SchemaField) => inputs[field.id]?.text ?? "";

/** A template alone, which gives a value of any type. */
const TEMPLATE = /^\{\{.*\}\}$/s;

function fieldValue(field: SchemaField, text: string): unknown {
  if (!field.required && text === startText(field)) return undefined;
  if (text.trim() === "" && (field.required || field.kind !== "text")) {
    if (field.required) throw new Error("This is required.");
    return undefined;
  }
  if (field.kind !== "text" && TEMPLATE.test(text.trim())) return text.trim();
  switch (field.kind) {
    case "text": return text;
    case "boolean": return text === "true";
    case "choice": return parse(text);
    case "number": return numberOf(field, text);
    case "lines": return linesOf(field, text);
    case "json": return jsonOf(field, text);
  }
}

function numberOf({ whole, minimum, maximum }: SchemaField, text: string): number | bigint {
  const value = readNumber(text);
  if (whole && typeof value === "number" && !Number.isInteger(value)) throw new Error("This is no integer, such as 42.");
  if (minimum !== null && value < minimum) throw new Error(`This is less than ${minimum}.`);
  if (maximum !== null && value > maximum) throw new Error(`This is more than ${maximum}.`);
  return value;
}

function linesOf(field: SchemaField, text: string): unknown[] {
  const items: unknown[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    if (field.item === "text" || TEMPLATE.test(line.trim())) {
      items.push(field.item === "text" ? line : line.trim());
      continue;
    }
    try {
      items.push(numberOf({ ...field, minimum: null, maximum: null }, line));
    } catch (error) {
      throw new Error(`Line ${i + 1}: ${(error as Error).message}`);
    }
  }
  return items;
}

function jsonOf({ shape }: SchemaField, text: string): unknown {
  const value = readJson(text);
  if (shape === "mapping" && !isMapping(value)) throw new Error("This is no mapping: { … }.");
  if (shape === "list" && !Array.isArray(value)) throw new Error("This is no list: [ … ].");
  return value;
}
