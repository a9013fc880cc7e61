// The page's address is its hash: #/PAGE/REST?QUERY.

import { signal } from "@preact/signals";

export interface Route {
  page: string;
  /** What follows the page's name: an execution's id, a playbook's path. */
  rest: string;
  query: URLSearchParams;
}

type Query = Record<string, string | number | null | undefined>;

export const route = signal(read());

addEventListener("hashchange", () => (route.value = read()));

function read(): Route {
  const [path = "", query = ""] = splitOnce(location.hash.replace(/^#\/?/, ""), "?");
  const [page = "", ...rest] = path.split("/");
  return { page, rest: rest.map(decode).join("/"), query: new URLSearchParams(query) };
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The address of a page, for links. */
export function href(page: string, rest = "", query: Query = {}): string {
  const path = rest && `/${rest.split("/").map(encodeURIComponent).join("/")}`;
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") set.set(name, String(value));
  }
  const text = set.toString();
  return `#/${page}${path}${text && `?${text}`}`;
}

export function go(address: string): void {
  location.hash = address;
}

/** Changes parts of the query, without a step in the browser's history. */
export function setQuery(changes: Query): void {
  const { page, rest, query } = route.value;
  const next: Query = { ...Object.fromEntries(query), ...changes };
  history.replaceState(null, "", href(page, rest, next));
  route.value = read();
}

export const executionHref = (id: string, query?: Query) => href("executions", id, query);
export const playbookHref = (path: string, query?: Query) => href("playbooks", path, query);
export const toolHref = (name: string, query?: Query) => href("tools", name, query);
