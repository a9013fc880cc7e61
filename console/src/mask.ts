// What looks like a secret is not shown unless somebody asks for it.
//
// The patterns run over megabytes that a stranger wrote: each is bounded, or
// begins where a run of its characters begins, so that none takes quadratic time.

export const MASK = "••••••••";

const SECRET_KEY =
  /password|passwd|passphrase|pwd|secret|token|authorization|apikey|accesskey|privatekey|signingkey|encryptionkey|sessionid|sessionkey|cookie|credential|bearer|jwt|dsn$|connectionstring/;

/** Whether what stands under this key is likely to be a secret. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key.normalize("NFKC").toLowerCase().replace(/[^a-z0-9]/g, ""));
}

/** Whether a value under a key is to be masked as a whole. */
export function isSecret(key: string, value: unknown): boolean {
  if (value === null || value === undefined || value === "" || typeof value === "boolean") return false;
  // A count of tokens, as language models are billed for, is none.
  if (typeof value === "number" && /tokens/i.test(key)) return false;
  return isSecretKey(key);
}

export interface Part {
  text: string;
  secret: boolean;
}

const VALUE = String.raw`[^\s"',;&(){}\[\]<>]{3,}`;
const named = (words: string) => String.raw`(?:${words})["']?\s{0,4}[=:]\s{0,4}["']?`;

const SECRET_TEXT = new RegExp(
  [
    // A JSON web token.
    String.raw`(?<![\w-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*`,
    // A key of this server's own.
    String.raw`(?<!\w)noetl_[\w-]{16,}`,
    // The password of scheme://user:password@host.
    String.raw`(?<=(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@\/]{0,256}:)[^\s\/]{1,512}(?=@)`,
    // The value of an authorization header.
    String.raw`(?<=\b(?:bearer|basic)\s)[\w.~+\/=-]{8,}`,
    // password=value
    String.raw`(?<=${named("password|passwd|passphrase|pwd|secret")})${VALUE}`,
    // "token": "value"; but not: token: expired
    String.raw`(?<=${named("token|authorization|api[_-]?key|cookie")})(?=[^\s]{0,200}\d|[^\s]{16})${VALUE}`,
    // A private key in PEM.
    String.raw`-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}-----)?`,
  ].join("|"),
  "gi",
);

/** A text, cut where a secret begins or ends in it. */
export function splitSecrets(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(SECRET_TEXT)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index), secret: false });
    parts.push({ text: match[0], secret: true });
    end = match.index + match[0].length;
  }
  if (end < text.length || parts.length === 0) parts.push({ text: text.slice(end), secret: false });
  return parts;
}

/** The text with its secrets replaced. */
export function maskText(text: string): string {
  return splitSecrets(text).map((part) => (part.secret ? MASK : part.text)).join("");
}

/** A copy of a value with its secrets replaced. */
export function maskValue(value: unknown, depth = 200): unknown {
  if (typeof value === "string") return maskText(value);
  if (value === null || typeof value !== "object") return value;
  if (depth === 0) return "…";
  if (Array.isArray(value)) return value.map((each) => maskValue(each, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      [key, isSecret(key, each) ? MASK : maskValue(each, depth - 1)]),
  );
}
