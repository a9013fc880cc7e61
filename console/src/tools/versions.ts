import type { Tool } from "../api/types";

export interface Listed {
  /** Its newest version. */
  newest: Tool;
  /** How many versions there are. */
  versions: number;
}

/** Each tool once, in the order in which they came. */
export function listed(tools: Tool[]): Listed[] {
  const byName = new Map<string, Listed>();
  for (const tool of tools) {
    const known = byName.get(tool.name);
    if (known) known.versions += 1;
    else byName.set(tool.name, { newest: tool, versions: 1 });
  }
  return [...byName.values()];
}

export const isCompiling = ({ status }: { status: string }) => status === "compiling";

/** How a playbook names this version of a tool. */
export function referenceTo({ name, version, built_in }: Tool): string {
  return built_in || !version ? name : `${name}@${version}`;
}
