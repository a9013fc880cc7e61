// What a tenant has: credentials, keys.

import { request } from "./client";
import type { Credential, Key, Role } from "./types";

export const listCredentials = (signal?: AbortSignal) =>
  request<{ credentials: Credential[] }>("GET", "credentials", { signal });

export const putCredential = (alias: string, credential: Record<string, unknown>) =>
  request<unknown>("PUT", `credentials/${encodeURIComponent(alias)}`, { body: credential });

export const deleteCredential = (alias: string) =>
  request<null>("DELETE", `credentials/${encodeURIComponent(alias)}`);

export interface NewKey {
  name: string;
  role: Role;
  paths?: string[];
  expires_at: string | null;
}

export const listKeys = (signal?: AbortSignal) => request<{ keys: Key[] }>("GET", "keys", { signal });

/** The new key; its text is told this once. */
export const createKey = (key: NewKey) =>
  request<Key & { key: string }>("POST", "keys", { body: { ...key } });

export const revokeKey = (id: string) => request<null>("DELETE", `keys/${encodeURIComponent(id)}`);
