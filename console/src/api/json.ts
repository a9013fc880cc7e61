// JSON whose integers keep all their digits, as the server's do.

import { parse as parseLossless, stringify as stringifyLossless } from "lossless-json";

const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** Reads JSON; an integer that a number can't hold becomes a BigInt. */
export function parse(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  try {
    return parseTyped(text);
  } catch (error) {
    // Nested more deeply than that parser can follow; the browser's own can.
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

/** The same for what a person typed: an error names the position in every browser. */
export function parseTyped(text: string): unknown {
  return parseLossless(text, undefined, exactNumber);
}

/** A number of a JSON text as a number if that is exact, else as a BigInt. */
function exactNumber(text: string): number | bigint {
  const number = Number(text);
  return INTEGER.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number;
}

/** Writes JSON, BigInts as integers. */
export function stringify(value: unknown, indent?: number): string {
  try {
    return stringifyLossless(value, undefined, indent) ?? "null";
  } catch (error) {
    if (error instanceof RangeError) return "(nested too deeply to be written as text)";
    throw error;
  }
}
