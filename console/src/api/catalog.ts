import { query, request, segments } from "./client";
import type { Playbook, PlaybookSummary, PlaybookVersion } from "./types";

export interface PlaybookPage {
  playbooks: PlaybookSummary[];
  next_cursor: string | null;
}

export interface PlaybookFile {
  file: string;
  content: string;
}

const PAGE = 100;

export const listPlaybooks = (prefix: string, cursor: string | null, signal?: AbortSignal) =>
  request<PlaybookPage>("GET", `catalog/playbooks${query({ prefix, limit: PAGE, cursor })}`, { signal });

/** One version of a playbook, or the latest. */
export const getPlaybook = (path: string, version: number | null, signal?: AbortSignal) =>
  request<Playbook>("GET", `catalog/playbooks/${segments(path)}${at(version)}`, { signal });

/** Removes one version of a playbook, or all of them. */
export const deletePlaybook = (path: string, version: number | null) =>
  request<null>("DELETE", `catalog/playbooks/${segments(path)}${at(version)}`);

export const listVersions = (path: string, signal?: AbortSignal) =>
  request<{ versions: PlaybookVersion[] }>("GET", `catalog/versions/${segments(path)}`, { signal });

export const getDiff = (path: string, from: number, to: number, signal?: AbortSignal) =>
  request<{ diff: string }>("GET", `catalog/diff/${segments(path)}${query({ from, to })}`, { signal });

/** Checks playbooks and stores nothing. */
export const validatePlaybooks = (playbooks: PlaybookFile[]) =>
  request<{ playbooks: { path: string; name: string }[] }>(
    "POST", "catalog/validate", { body: { playbooks } });

/** Registers playbooks: all of them or none. */
export const registerPlaybooks = (playbooks: PlaybookFile[]) =>
  request<{ playbooks: { path: string; version: number }[] }>(
    "POST", "catalog/playbooks", { body: { playbooks } });

const at = (version: number | null) => (version === null ? "" : `@${version}`);
