// Text that others wrote, made safe to look at.

// Control characters except tab and line end, lone surrogates, Unicode's
// Bidi_Control and other characters that take no room and so hide what they do.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

/** The text with what is invisible, or turns the direction of writing, escaped. */
export function visible(text: string, escape = (code: number) => `\\u{${code.toString(16)}}`): string {
  return text.replace(HIDDEN, (c) => escape(c.codePointAt(0)!));
}

/** The same in one line of at most `length` characters. */
export function brief(text: string, length: number): string {
  const line = visible(cut(text, length + 1)).replace(/\s+/g, " ").trim();
  return text.length > length ? `${cut(line, length)}…` : line;
}

/** The beginning of a text; no character is torn apart. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  const torn = last >= 0xd800 && last < 0xdc00;
  return text.slice(0, torn ? length - 1 : length);
}
