// A playbook's step that uses a tool, as a form fills it.

import type { ToolDocument } from "../api/types";
import { fieldsIn, isGroup, partOf, type Group, type Part, type SchemaField } from "../form/json-schema";
import { isMapping, type Inputs } from "../form/model";
import { startOf, valueOf, type Errors } from "../form/values";
import { isSecretKey } from "../mask";
import { writeYaml } from "../source/yaml";
import { referenceTo } from "./versions";

/** Fields of a step that are not its tool's. */
const OF_THE_STEP = ["step", "desc", "description", "tool", "vars", "next", "args", "limits"];

export interface StepForm {
  config: Part;
  args: Part;
}

export interface StepInputs {
  name: string;
  config: Inputs;
  args: Inputs;
}

export interface WrittenStep {
  yaml: string;
  errors: { name: string | undefined; config: Errors; args: Errors };
}

/** The form of a tool's steps; null if its fields are the language's own. */
export function stepForm({ built_in, schema, capabilities }: ToolDocument): StepForm | null {
  if (built_in && !schema?.config && !schema?.args) return null;
  const reaches = Boolean(capabilities?.postgres) || Boolean(capabilities?.http?.length);
  const config = partOf(schema?.config, "config", OF_THE_STEP);
  const args = partOf(schema?.args, "args");
  if (!isGroup(config)) return { config: { ...config, description: "The tool's own fields of the step" }, args };
  return { config: reaches ? withAuth(config) : config, args };
}

const AUTH = { type: "string", description: "The alias of the one credential that the tool may open" };

/** Asks for a credential, if the tool's schema does not. */
function withAuth(config: Group): Group {
  if (config.parts.some(({ key }) => key === "auth")) return config;
  return { ...config, parts: [...config.parts, ...fieldsIn(partOf({ properties: { auth: AUTH } }, "config"))] };
}

export const startInputs = (form: StepForm, tool: string): StepInputs => ({
  name: tool.split("/").at(-1)!.replaceAll("-", "_"),
  config: startOf([form.config]),
  args: startOf([form.args]),
});

/** Writes the step; fields with mistakes are left out of it. */
export function writeStep(tool: ToolDocument, form: StepForm, inputs: StepInputs): WrittenStep {
  const errors: WrittenStep["errors"] = { name: nameError(inputs.name), config: {}, args: {} };
  const config = valueOf(form.config, inputs.config, errors.config);
  const args = valueOf(form.args, inputs.args, errors.args);
  const own = Object.entries(isMapping(config) ? config : {}).filter(([key]) => !OF_THE_STEP.includes(key));
  const taken = isMapping(config) ? Object.keys(config).filter((key) => OF_THE_STEP.includes(key)) : [];
  if (taken.length > 0) errors.config[""] = `These are fields of the step itself: ${taken.join(", ")}.`;
  const hasArgs = isMapping(args) ? Object.keys(args).length > 0 : args !== undefined;
  const step = Object.fromEntries<unknown>([
    ["step", inputs.name], ["tool", referenceTo(tool)], ...own, ...(hasArgs ? [["args", args] as const] : []),
  ]);
  return { yaml: writeYaml([step]), errors };
}

const nameError = (name: string) => (name.trim() === "" ? "A step has a name." : undefined);

/** What to think of before a text becomes a part of the playbook. */
export function secretWarning({ key, kind }: SchemaField, text: string): string | undefined {
  if (kind !== "text" || !isSecretKey(key) || key === "auth" || text === "" || text.includes("{{")) return undefined;
  return "This would stand in the playbook, for all who may read it. A credential, or a template such as {{ workload.… }}, keeps it out.";
}
