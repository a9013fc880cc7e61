import assert from "node:assert/strict";
import { test } from "node:test";
import { writeYaml } from "../src/source/yaml";

test("mappings and lists stand on lines of their own", () => {
  assert.equal(writeYaml([{ step: "a", args: { list: [1, { x: true, y: [[null]] }], none: {}, empty: [] } }]), `\
- step: a
  args:
    list:
      - 1
      - x: true
        y:
          - - null
    none: {}
    empty: []
`);
  assert.equal(writeYaml({}), "{}\n");
});

test("a text stays a text", () => {
  for (const [text, written] of [
    ["Berlin Mitte", "Berlin Mitte"], ["acme/geocode@1.2.0-rc.1", "acme/geocode@1.2.0-rc.1"], ["größer", "größer"],
    ["12", "'12'"], ["-1", "'-1'"], ["no", "'no'"], ["True", "'True'"], ["NULL", "'NULL'"], ["", "''"], ["~", "'~'"],
    ["a: b", "'a: b'"], ["a #b", "'a #b'"], ["it's", "'it''s'"], [" a", "' a'"], ["a ", "'a '"],
    ["{{ workload.n }}", "'{{ workload.n }}'"], ["- a", "'- a'"], ["*a", "'*a'"], ["a\n", `"a\\n"`], ["\n", `"\\n"`],
    ["a\tb", `"a\\tb"`], ["a\u202eb\u0007", `"a\\u202eb\\u0007"`], ["\u{e0041}", `"\\U000e0041"`],
  ] as const) {
    assert.equal(writeYaml({ k: text }), `k: ${written}\n`, JSON.stringify(text));
  }
});

test("a text of lines is written as one, if that keeps each of its characters", () => {
  assert.equal(writeYaml([{ k: "a\n\n  b: c" }]), "- k: |-\n    a\n\n      b: c\n");
  assert.equal(writeYaml([{ k: "a\nb\n" }]), "- k: |\n    a\n    b\n");
  assert.equal(writeYaml(["a\nb"]), "- |-\n  a\n  b\n");
  for (const text of [" a\nb", "a \nb", "a\n \nb", "a\nb\n\n", "\na\nb", "a\r\nb", "a\nb\u200b"]) {
    assert.match(writeYaml({ k: text }), /^k: "[^\n]*"\n$/, JSON.stringify(text));
  }
});

test("a long text takes no time that grows with its square", () => {
  const text = `a${"\n ".repeat(200_000)}`;
  assert.ok(writeYaml({ k: text }).startsWith(`k: "a\\n `));
});

test("a key is a text too, and numbers keep their digits", () => {
  assert.equal(writeYaml({ "a: b": 18446744073709551615n, yes: 1.5, "x\ny": 0 }),
    "'a: b': 18446744073709551615\n'yes': 1.5\n\"x\\ny\": 0\n");
});
