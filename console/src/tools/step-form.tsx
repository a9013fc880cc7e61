import { useId, useMemo, useState } from "preact/hooks";
import type { ToolDocument } from "../api/types";
import { FieldInput } from "../form/field";
import { isGroup, type Part } from "../form/json-schema";
import type { Inputs } from "../form/model";
import type { Errors } from "../form/values";
import { plural } from "../format";
import { Snippet } from "../source/snippet";
import { brief } from "../text";
import { Copy } from "../ui/copy";
import { secretWarning, startInputs, stepForm, writeStep, type StepForm } from "./step";

/** A form of a tool's schemas, and the step that it writes. */
export function StepWriter({ tool }: { tool: ToolDocument }) {
  const form = useMemo(() => stepForm(tool), [tool.digest]);
  if (!form) return <p class="quiet">Its fields are part of the language of playbooks.</p>;
  return <Writer key={tool.digest} tool={tool} form={form} />;
}

function Writer({ tool, form }: { tool: ToolDocument; form: StepForm }) {
  const [inputs, setInputs] = useState(() => startInputs(form, tool.name));
  const { yaml, errors } = useMemo(() => writeStep(tool, form, inputs), [form, inputs]);
  const mistakes = [errors.config, errors.args].flatMap(Object.keys).length;
  return (
    <div class="split step-writer">
      <form class="card run-form" onSubmit={(event) => event.preventDefault()}>
        <h2>Use it in a step</h2>
        <StepName name={inputs.name} error={errors.name} onChange={(name) => setInputs({ ...inputs, name })} />
        <Section title="Fields" part={form.config} inputs={inputs.config} errors={errors.config}
          onChange={(config) => setInputs({ ...inputs, config })} />
        <Section title="Arguments" part={form.args} inputs={inputs.args} errors={errors.args}
          onChange={(args) => setInputs({ ...inputs, args })} />
      </form>
      <section class="card source-card written" aria-label="The step">
        <div class="source-head"><span>A step of a playbook's <code>workflow</code></span><Copy text={() => yaml} /></div>
        <Snippet text={yaml} />
        {mistakes > 0 && <p class="field-error" role="status">{plural(mistakes, "field")} of the form {mistakes === 1 ? "is" : "are"} missing or wrong.</p>}
      </section>
    </div>
  );
}

function StepName({ name, error, onChange }: { name: string; error: string | undefined; onChange: (name: string) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>step</label>
      <span class="quiet kind">Text<b> required</b></span>
      <input id={id} value={name} spellcheck={false} autocomplete="off" aria-invalid={error !== undefined}
        aria-describedby={`${id}-note`} onInput={(event) => onChange(event.currentTarget.value)} />
      {error && <span class="field-error" id={`${id}-note`} role="alert">{error}</span>}
    </div>
  );
}

interface PartProps {
  part: Part;
  inputs: Inputs;
  errors: Errors;
  onChange: (inputs: Inputs) => void;
}

function Section({ title, ...rest }: PartProps & { title: string }) {
  if (isGroup(rest.part) && rest.part.parts.length === 0) return null;
  return (
    <fieldset class="fields">
      <legend>{title}</legend>
      <PartInputs {...rest} />
    </fieldset>
  );
}

function PartInputs({ part, inputs, errors, onChange }: PartProps) {
  if (isGroup(part)) {
    const members = part.parts.map((each) => <PartInputs key={each.key} part={each} inputs={inputs} errors={errors} onChange={onChange} />);
    if (part.key === "") return <>{members}</>;
    return <fieldset class="fields inner"><legend><code>{brief(part.key, 120)}</code></legend>{members}</fieldset>;
  }
  const input = inputs[part.id]!;
  return (
    <FieldInput field={part} input={input} error={errors[part.id]} warning={secretWarning(part, input.text)}
      onChange={(changed) => onChange({ ...inputs, [part.id]: changed })} />
  );
}
