// What a tool's manifest asks for, and whether its imports say the same.

import type { Tool } from "../api/types";

export interface Ask {
  words: string;
  /** What doesn't go together. */
  warning: string | null;
}

/** What it asks for, in plain words; null if it has no manifest. */
export function asksOf({ capabilities, imports }: Pick<Tool, "capabilities" | "imports">): Ask[] | null {
  if (capabilities === null) return null;
  const { postgres = false, http = [] } = capabilities;
  return [
    ask("postgres", postgres, "PostgreSQL, through the credential that a step names", imports),
    ask("http", http === "any" || http.length > 0, hostsOf(http), imports),
  ].filter((each) => each !== null);
}

function hostsOf(http: "any" | string[]): string {
  return http === "any" ? "HTTP, to every host that this tenant was granted" : `HTTP, to ${http.join(", ")}`;
}

function ask(name: string, asked: boolean, words: string, imports: string[]): Ask | null {
  const imported = imports.some((each) => new RegExp(`^noetl:tool/${name}(@|$)`).test(each));
  if (asked) return { words, warning: imported ? null : `It does not import noetl:tool/${name}, so it can't use this.` };
  if (!imported) return null;
  return { words: `Nothing of noetl:tool/${name}`, warning: "It imports this, but its manifest does not ask for it: every call is denied." };
}
