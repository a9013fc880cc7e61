// What a tool may do, told by what it imports.

const WORDS: readonly [prefix: string, words: string][] = [
  ["noetl:tool/postgres", "Speaks to PostgreSQL through a credential"],
  ["noetl:tool/log", "Writes to the log"],
  ["noetl:tool/types", ""],
  ["wasi:clocks/wall-clock", "Reads the clock"],
  ["wasi:clocks/monotonic-clock", "Measures time and waits"],
  ["wasi:random/", "Draws random numbers"],
  ["wasi:cli/stdout", "Prints, into the log"],
  ["wasi:cli/stderr", "Prints, into the log"],
  ["wasi:cli/stdin", "Reads an input that is empty"],
  ["wasi:cli/environment", "Asks for environment variables; there are none"],
  ["wasi:cli/exit", "Ends itself"],
  ["wasi:cli/terminal", "Asks whether it has a terminal; it has none"],
  ["wasi:filesystem/", "Asks for files; there are none"],
  ["wasi:io/", ""],
  ["wasi:http/", "Speaks HTTP to granted hosts"],
  ["noetl:tool/http", "Speaks HTTP to granted hosts"],
];

/** Reaches out of its sandbox to something that matters. */
const REACHES = /postgres|http|sockets/;

export interface Ability {
  words: string;
  imports: string[];
  reaches: boolean;
}

/** What the imports allow, in plain words; those that matter most first. */
export function abilitiesOf(imports: string[]): Ability[] {
  const abilities = new Map<string, Ability>();
  for (const each of imports) {
    // A type's name, which allows nothing.
    if (!each.includes(":")) continue;
    const known = WORDS.find(([prefix]) => each.startsWith(prefix));
    const words = known ? known[1] : `Uses ${each}`;
    if (!words) continue;
    const ability = abilities.get(words) ?? { words, imports: [], reaches: REACHES.test(each) };
    ability.imports.push(each);
    abilities.set(words, ability);
  }
  return [...abilities.values()].sort((a, b) => Number(b.reaches) - Number(a.reaches));
}
