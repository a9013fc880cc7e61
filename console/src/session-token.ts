// The key or token that requests carry. It is kept for as long as the tab.

import { signal } from "@preact/signals";

const NAME = "noetl-token";

export const token = signal(sessionStorage.getItem(NAME));

/** Whether the server wants a token and has no good one. */
export const signInNeeded = signal(false);

export function keepToken(value: string): void {
  sessionStorage.setItem(NAME, value);
  token.value = value;
}

export function forgetToken(): void {
  sessionStorage.removeItem(NAME);
  token.value = null;
}

/** The server answered 401. */
export function tokenRefused(): void {
  forgetToken();
  signInNeeded.value = true;
}
