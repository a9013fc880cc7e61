// Requests to the server that the page came from.

import { parse, stringify } from "./json";
import { Problem } from "./problem";
import { token, tokenRefused } from "../session-token";

const BASE = new URL("../api/", document.baseURI);

export interface Options {
  body?: string | Record<string, unknown>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Answer<T> {
  data: T;
  headers: Headers;
}

/** The answer's body, or a thrown Problem. */
export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  return (await requestWithHeaders<T>(method, path, options)).data;
}

export async function requestWithHeaders<T>(
  method: string,
  path: string,
  options: Options = {},
): Promise<Answer<T>> {
  const response = await send(method, path, options);
  const text = await response.text();
  try {
    return { data: (text ? parse(text) : null) as T, headers: response.headers };
  } catch {
    throw new Problem(response.status, "The server's answer is no JSON", text.slice(0, 500));
  }
}

/** An answer that is no error, its body unread. */
export async function send(method: string, path: string, options: Options): Promise<Response> {
  const { body, signal } = options;
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (token.value) headers.authorization = `Bearer ${token.value}`;
  if (body !== undefined) headers["content-type"] ??= "application/json";

  let response: Response;
  try {
    response = await fetch(new URL(path, BASE), {
      method,
      headers,
      body: typeof body === "object" ? stringify(body) : body,
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The server can't be reached", "No answer came. Is it running?");
  }
  if (response.ok) return response;
  if (response.status === 401) tokenRefused();
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => "");
  try {
    const body = parse(text) as Record<string, unknown>;
    const title = String(body.title ?? `The server answered ${response.status}`);
    return new Problem(response.status, title, body.detail ? String(body.detail) : null, body);
  } catch {
    // What is not JSON came from something between here and the server.
    return new Problem(response.status, `The server answered ${response.status}`, text.slice(0, 500) || null);
  }
}

/** A query string of the members that are set, with its question mark. */
export function query(members: Record<string, string | number | null | undefined>): string {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (value !== null && value !== undefined && value !== "") set.set(name, String(value));
  }
  const text = set.toString();
  return text && `?${text}`;
}

/** A path of several segments, each of them encoded. */
export function segments(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
