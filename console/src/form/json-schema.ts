// A form's fields, made from a JSON Schema that a stranger wrote.

import { stringify } from "../api/json";
import { isMapping, type Field, type Kind } from "./model";

/** What a value that is written as JSON has to be. */
export type Shape = "mapping" | "list" | null;

export interface SchemaField extends Field {
  /** Its place: a JSON pointer (RFC 6901). */
  id: string;
  /** Its name in its object. */
  key: string;
  required: boolean;
  whole: boolean;
  minimum: number | null;
  maximum: number | null;
  /** Of the items, if they stand on lines. */
  item: "text" | "number";
  shape: Shape;
}

/** An object, each member of which has fields of its own. */
export interface Group {
  kind: "group";
  key: string;
  required: boolean;
  parts: Part[];
}

export type Part = Group | SchemaField;

export const isGroup = (part: Part): part is Group => part.kind === "group";

/** All fields of a part, in their order. */
export const fieldsIn = (part: Part): SchemaField[] => (isGroup(part) ? part.parts.flatMap(fieldsIn) : [part]);

type Schema = Record<string, unknown>;

/** Deeper objects, and more fields, are written as JSON. */
const DEPTH = 3;
const MOST = 200;

/** The form of an object; without properties that are known, one field for JSON. */
export function partOf(schema: unknown, name: string, leaveOut: readonly string[] = []): Part {
  const reader = new Reader(schema);
  const part = reader.part(schema, [], { name, required: false });
  if (!isGroup(part)) return { ...part, kind: "json", shape: "mapping", hint: "Mapping, as JSON", default: {} };
  return { ...part, required: true, parts: part.parts.filter(({ key }) => !leaveOut.includes(key)) };
}

class Reader {
  private count = 0;

  constructor(private readonly root: unknown) {}

  part(raw: unknown, path: string[], { name, required }: { name: string; required: boolean }): Part {
    const schema = this.resolve(raw);
    const key = path.at(-1) ?? "";
    const properties = isMapping(schema.properties) ? Object.entries(schema.properties) : [];
    const isObject = typeOf(schema) === "object" || (schema.type === undefined && !choicesOf(schema));
    if (isObject && properties.length > 0 && path.length < DEPTH && schema.default === undefined
      && this.count + properties.length <= MOST) {
      this.count += properties.length;
      const needed = Array.isArray(schema.required) ? schema.required : [];
      const parts = properties.map(([member, inner]) => {
        return this.part(inner, [...path, member], { name: member, required: needed.includes(member) });
      });
      return { kind: "group", key, required, parts };
    }
    return { ...fieldOf(schema, this.resolve(schema.items)), id: pointer(path), key, name, required };
  }

  /** The schema that is meant: what it refers to, or what it is if it is not null. */
  private resolve(raw: unknown): Schema {
    let schema: Schema = isMapping(raw) ? raw : {};
    for (let turn = 0; turn < 8; turn += 1) {
      const inner = typeof schema.$ref === "string" ? this.find(schema.$ref) : theOnlyOne(schema);
      if (!inner) break;
      const { $ref: _, anyOf: __, oneOf: ___, allOf: ____, ...own } = schema;
      schema = { ...inner, ...own };
    }
    return schema;
  }

  /** What `#/$defs/name` points at. */
  private find(reference: string): Schema | null {
    if (reference !== "#" && !reference.startsWith("#/")) return null;
    let found: unknown = this.root;
    for (const step of reference.split("/").slice(1)) {
      const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
      if (!isMapping(found) || !Object.hasOwn(found, key)) return null;
      found = found[key];
    }
    return isMapping(found) ? found : null;
  }
}

/** The one alternative of a schema beside null. */
function theOnlyOne(schema: Schema): Schema | null {
  for (const several of [schema.anyOf, schema.oneOf, schema.allOf]) {
    if (!Array.isArray(several)) continue;
    const rest = several.filter((each) => !(isMapping(each) && each.type === "null"));
    if (rest.length === 1 && isMapping(rest[0])) return rest[0];
  }
  return null;
}

function typeOf(schema: Schema): unknown {
  if (!Array.isArray(schema.type)) return schema.type;
  const types = schema.type.filter((type) => type !== "null");
  return types.length === 1 ? types[0] : undefined;
}

/** The values that it can have, if they are told. */
function choicesOf(schema: Schema): unknown[] | null {
  if (Array.isArray(schema.enum)) return schema.enum;
  if ("const" in schema) return [schema.const];
  const several = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(several) || several.length === 0) return null;
  const each = several.map((one) => (isMapping(one) ? choicesOf(one) : null));
  return each.every((choices) => choices !== null) ? each.flat() : null;
}

type Drawn = Omit<SchemaField, "id" | "key" | "name" | "required">;

function fieldOf(schema: Schema, items: Schema): Drawn {
  const type = typeOf(schema);
  const bound = (name: string) => (typeof schema[name] === "number" ? schema[name] as number : null);
  const common = {
    default: undefined, secret: false, item: "text", shape: null,
    description: typeof schema.description === "string" ? schema.description : "",
    whole: type === "integer", minimum: bound("minimum"), maximum: bound("maximum"),
  } as const;
  const drawn = (kind: Kind, words: string, more: Partial<Drawn> = {}): Drawn => ({
    ...common, kind, hint: hintOf(words, schema), default: schema.default ?? undefined, ...more,
  });
  const json = (shape: Shape, words: string) =>
    drawn("json", words, shape !== null && shapeOf(schema.default) !== shape ? { shape, default: undefined } : { shape });

  const choices = choicesOf(schema) ?? (type === "boolean" && typeof schema.default !== "boolean" ? [true, false] : null);
  if (choices && choices.length > 0 && choices.length <= MOST) {
    const texts = [...new Set(choices.map((each) => stringify(each)))];
    const known = schema.default !== undefined && texts.includes(stringify(schema.default));
    return drawn("choice", type === "boolean" ? "Yes or no" : "Choice", {
      choices: texts, default: known ? schema.default : undefined,
    });
  }
  switch (type) {
    case "string":
      return drawn("text", "Text", typeof schema.default === "string" ? {} : { default: undefined });
    case "boolean":
      return drawn("boolean", "Yes or no");
    case "integer":
    case "number":
      return drawn("number", type === "integer" ? "Integer" : "Number",
        ["number", "bigint"].includes(typeof schema.default) ? {} : { default: undefined });
    case "array":
      return linesOf(schema, items, drawn) ?? json("list", "List, as JSON");
    case "object":
      return json("mapping", "Mapping, as JSON");
    default:
      return json(null, "JSON");
  }
}

/** A list of texts or numbers, each on a line. */
function linesOf(
  schema: Schema, items: Schema, drawn: (kind: Kind, words: string, more: Partial<Drawn>) => Drawn,
): Drawn | null {
  const type = typeOf(items);
  if (choicesOf(items) || schema.default !== undefined) return null;
  if (type === "string") return drawn("lines", "Texts, one on each line", {});
  if (type === "integer" || type === "number") {
    return drawn("lines", `${type === "integer" ? "Integers" : "Numbers"}, one on each line`, {
      item: "number", whole: type === "integer",
    });
  }
  return null;
}

function shapeOf(value: unknown): Shape {
  if (Array.isArray(value)) return "list";
  return isMapping(value) ? "mapping" : null;
}

/** What the input takes, in words. */
function hintOf(words: string, { format, minimum, maximum }: Schema): string {
  const range = typeof minimum === "number" && typeof maximum === "number" ? `${minimum} to ${maximum}`
    : typeof minimum === "number" ? `at least ${minimum}`
    : typeof maximum === "number" ? `at most ${maximum}` : "";
  return [words, typeof format === "string" ? format : "", range].filter(Boolean).join(", ");
}

const pointer = (path: string[]) => path.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
