import assert from "node:assert/strict";
import { test } from "node:test";
import { isSecret, isSecretKey, MASK, maskText, maskValue, splitSecrets } from "../src/mask";

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";

test("keys that name secrets", () => {
  for (const key of [
    "password", "db_password", "userPassword", "PASSWD", "token", "auth0_token", "sessionToken",
    "session_token", "secret", "client-secret", "Authorization", "api_key", "apiKey", "x-api-key",
    "cookie", "Set-Cookie", "credential", "private_key", "ｐａｓｓｗｏｒｄ",
  ]) assert.ok(isSecretKey(key), key);
  for (const key of ["email", "name", "path", "status", "author", "key", "session", "passage", "tok"]) {
    assert.ok(!isSecretKey(key), key);
  }
});

test("what can't be a secret is shown", () => {
  for (const value of [null, undefined, "", true, false]) assert.ok(!isSecret("token", value));
  assert.ok(!isSecret("max_tokens", 100));
  assert.ok(isSecret("pin_secret", 1234));
  assert.ok(isSecret("credentials", { user: "ada", pass: "x" }));
});

test("a token is masked wherever it stands", () => {
  assert.equal(maskText(`got ${JWT} from ada`), `got ${MASK} from ada`);
  assert.equal(maskText(`"${JWT}"`), `"${MASK}"`);
  assert.equal(maskText("eyJ is how a token begins"), "eyJ is how a token begins");
});

test("passwords in addresses and assignments are masked, the rest stays", () => {
  const masked: [string, string][] = [
    ["postgres://ada:hunter2@db.example/x", `postgres://ada:${MASK}@db.example/x`],
    ["postgres://ada:p@ss@db.example/x", `postgres://ada:${MASK}@db.example/x`],
    ["https://:key@host", `https://:${MASK}@host`],
    ["password=letmein", `password=${MASK}`],
    ["{\"client_secret\": \"abcdef\"}", `{"client_secret": "${MASK}"}`],
    ["Authorization: Bearer abc123def456", `Authorization: Bearer ${MASK}`],
    ["api_key=a1b2c3", `api_key=${MASK}`],
    ["key noetl_0123456789-bcdefXYZ", `key ${MASK}`],
  ];
  for (const [text, expected] of masked) assert.equal(maskText(text), expected);
  for (const text of ["invalid token: expired", "http://host:8080/a@b", "ada@example.com", "noetl_tools"]) {
    assert.equal(maskText(text), text);
  }
});

test("a private key is masked as a whole", () => {
  const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
  assert.equal(maskText(`a\n${key}\nb`), `a\n${MASK}\nb`);
});

test("the parts of a text give the text", () => {
  for (const text of ["", "plain", JWT, `${JWT} ${JWT}`, `x password=abc ${JWT} y`]) {
    assert.equal(splitSecrets(text).map((part) => part.text).join(""), text);
  }
});

test("values are masked at every depth, also under __proto__", () => {
  const value = JSON.parse(`{"a": [{"password": "x", "n": 1}], "url": "p://u:pw@h", "__proto__": {"token": "t"}}`);
  assert.equal(
    JSON.stringify(maskValue(value)),
    `{"a":[{"password":"${MASK}","n":1}],"url":"p://u:${MASK}@h","__proto__":{"token":"${MASK}"}}`,
  );
});

test("hostile text of a megabyte is gone through without backtracking for long", () => {
  // With a quadratic pattern this would not come to an end.
  for (const unit of ["a", "eyJ", "eyJa.", "a:", "a://", "token=", "-----BEGIN ", "bearer ", "noetl_", "://a:"]) {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
    assert.equal(splitSecrets(text).map((part) => part.text).join(""), text);
  }
});
