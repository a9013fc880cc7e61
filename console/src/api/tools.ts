import { request, segments } from "./client";
import type { Grant, Tool, ToolDocument } from "./types";

/** All versions of all tools: those of the server, then others by name, the newest first. */
export const getTools = (signal?: AbortSignal) =>
  request<{ tools: Tool[]; grant: Grant }>("GET", "tools", { signal });

/** One version of a tool, or the newest. */
export const getTool = (name: string, version: string | null, signal?: AbortSignal) =>
  request<ToolDocument>("GET", `tools/${segments(name)}${at(version)}`, { signal });

export const deleteTool = (name: string, version: string) =>
  request<null>("DELETE", `tools/${segments(name)}${at(version)}`);

const at = (version: string | null) => (version === null ? "" : `@${encodeURIComponent(version)}`);
