// JSON that keeps large integers whole.

/** Reads JSON. An integer that a number can't hold becomes a BigInt. */
export function parse(text) {
  // A reviver takes time, and seldom has work to do.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_, item, { source }) =>
    typeof item === 'number' && !Number.isSafeInteger(item) && /^-?\d+$/.test(source)
      ? BigInt(source)
      : item);
}

/** JSON of a value. A BigInt becomes a number with all its digits. */
export function stringify(value) {
  const text = JSON.stringify(value ?? null, (_, item) =>
    typeof item === 'bigint' ? JSON.rawJSON(item.toString()) : item);
  if (text === undefined) throw new TypeError(`a ${typeof value} can't be written as JSON`);
  return text;
}
