// Keys that work on every page.

import { signal } from "@preact/signals";
import { go, href } from "./router";

export const shortcutsShown = signal(false);

export const PAGES_BY_KEY: Record<string, { page: string; title: string }> = {
  e: { page: "executions", title: "Executions" },
  c: { page: "playbooks", title: "Playbooks (the catalog)" },
  u: { page: "upload", title: "Add a playbook" },
  t: { page: "tools", title: "Tools" },
  r: { page: "credentials", title: "Credentials" },
  k: { page: "keys", title: "API keys" },
};

const FOLLOW_UP = 1_500;
let pressedG = 0;

export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (event.key === "Escape") return leave(target);
    if (isTypedInto(target) || document.querySelector("dialog[open]")) return;
    if (handle(event)) event.preventDefault();
  });
}

function handle(event: KeyboardEvent): boolean {
  const page = PAGES_BY_KEY[event.key];
  if (page && event.timeStamp - pressedG < FOLLOW_UP) {
    pressedG = 0;
    go(href(page.page));
    return true;
  }
  pressedG = event.key === "g" ? event.timeStamp : 0;
  switch (event.key) {
    case "/": return focusFilter();
    case "j": return moveInList(1);
    case "k": return moveInList(-1);
    case "?": return (shortcutsShown.value = true);
    default: return false;
  }
}

/** Whether an element has its own use for keys. */
export function isTypedInto(element: HTMLElement): boolean {
  return element.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}

function leave(element: HTMLElement): void {
  if (isTypedInto(element)) element.blur();
}

function focusFilter(): boolean {
  const filter = document.querySelector<HTMLInputElement>("[data-filter]");
  filter?.focus();
  filter?.select();
  return filter !== null;
}

/** Moves the focus among the entries of the page's list. */
function moveInList(by: number): boolean {
  const entries = [...document.querySelectorAll<HTMLElement>("[data-entry]")];
  if (entries.length === 0) return false;
  const at = entries.indexOf(document.activeElement as HTMLElement);
  const to = at < 0 ? (by > 0 ? 0 : entries.length - 1) : at + by;
  const entry = entries[Math.min(Math.max(to, 0), entries.length - 1)]!;
  entry.focus();
  entry.scrollIntoView({ block: "nearest" });
  return true;
}
