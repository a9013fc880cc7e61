import assert from "node:assert/strict";
import { test } from "node:test";
import { brief, cut, visible } from "../src/text";
import { abilitiesOf } from "../src/tools/imports";
import { bytes, duration } from "../src/format";

test("what is invisible or turns the writing is escaped", () => {
  assert.equal(visible("a\u001b[2J\u202eb\u200b\u0000é𝄞\n\t"), "a\\u{1b}[2J\\u{202e}b\\u{200b}\\u{0}é𝄞\n\t");
  assert.equal(visible("\ud800x"), "\\u{d800}x");
});

test("a text is cut between characters", () => {
  assert.equal(cut("a𝄞b", 2), "a");
  assert.equal(cut("a𝄞b", 3), "a𝄞");
  assert.equal(brief("a\n  b", 10), "a b");
  assert.equal(brief("x".repeat(2_000_000), 5), "xxxxx…");
});

test("imports in plain words, what reaches out first, each once", () => {
  const words = abilitiesOf([
    "noetl:tool/log@0.1.0", "wasi:cli/stdout@0.2.3", "wasi:cli/stderr@0.2.3", "noetl:tool/postgres@0.1.0",
    "noetl:tool/types@0.1.0", "output", "acme:x/y@1.0.0",
  ]).map((ability) => ability.words);
  assert.deepEqual(words, [
    "Speaks to PostgreSQL through a credential", "Writes to the log", "Prints, into the log", "Uses acme:x/y@1.0.0",
  ]);
});

test("measures", () => {
  assert.deepEqual([0.42, 12.4, 1_500, 61_000, 3_720_000].map(duration), ["0.4 ms", "12 ms", "1.50 s", "1 min 1 s", "1 h 2 min"]);
  assert.deepEqual([10, 2048, 1572864, 34603008].map(bytes), ["10 B", "2 KiB", "1.5 MiB", "33 MiB"]);
});
