import { useId, useState } from "preact/hooks";
import { brief } from "../text";
import type { Field, Inputs } from "./model";

type Input = Inputs[string];

interface FieldInputProps {
  field: Field;
  input: Input;
  error: string | undefined;
  warning: string | undefined;
  onChange: (input: Input) => void;
}

const KINDS = { text: "Text", number: "Number", boolean: "Yes or no", json: "JSON" };

export function FieldInput({ field, input, error, warning, onChange }: FieldInputProps) {
  const id = useId();
  const change = (text: string) => onChange({ ...input, text });
  // What null stands for can't be told, so it can become anything.
  const open = field.default === null;
  return (
    <div class="field">
      <label for={id}>{brief(field.name, 120)}</label>
      {open
        ? <select aria-label={`Type of ${brief(field.name, 120)}`} value={input.kind}
            onChange={(event) => onChange(startOf(event.currentTarget.value as keyof typeof KINDS))}>
            {Object.entries(KINDS).map(([kind, title]) => <option key={kind} value={kind}>{title}</option>)}
          </select>
        : <span class="quiet kind">{brief(kindOf(field), 120)}{field.required && <b> required</b>}</span>}
      {field.description && <span class="quiet description">{brief(field.description, 500)}</span>}
      <Control id={id} field={field} input={input} invalid={error !== undefined} onChange={change} />
      {error && <span class="field-error" id={`${id}-note`} role="alert">{brief(error, 300)}</span>}
      {!error && warning && <span class="field-warning" id={`${id}-note`}>{brief(warning, 300)}</span>}
    </div>
  );
}

function kindOf(field: Field): string {
  if (field.hint !== undefined) return field.hint;
  if (field.kind in KINDS && field.kind !== "json") return KINDS[field.kind as keyof typeof KINDS];
  return Array.isArray(field.default) ? "List, as JSON" : "Mapping, as JSON";
}

const startOf = (kind: keyof typeof KINDS): Input => ({ kind, text: { text: "", number: "0", boolean: "false", json: "null" }[kind] });

interface ControlProps {
  id: string;
  field: Field;
  input: Input;
  invalid: boolean;
  onChange: (text: string) => void;
}

function Control({ id, field, input, invalid, onChange }: ControlProps) {
  const [shown, setShown] = useState(false);
  const common = {
    id,
    spellcheck: false,
    autocomplete: "off",
    "aria-invalid": invalid,
    "aria-describedby": `${id}-note`,
  };
  const typed = (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) => onChange(event.currentTarget.value);
  const lines = input.text.split("\n").length;
  switch (input.kind) {
    case "boolean":
      return (
        <label class="switch">
          <input id={id} type="checkbox" role="switch" checked={input.text === "true"}
            onChange={(event) => onChange(String(event.currentTarget.checked))} />
          {input.text === "true" ? "true" : "false"}
        </label>
      );
    case "number":
      return <input {...common} class="number-input" inputMode="decimal" value={input.text} onInput={typed} />;
    case "choice":
      return (
        <span class="choice">
          <select {...common} value={input.text} onChange={(event) => onChange(event.currentTarget.value)}>
            {(!field.required || field.default === undefined) && <option value="">–</option>}
            {field.choices?.map((text) => <option key={text} value={text}>{brief(text.replace(/^"(.*)"$/s, "$1"), 120)}</option>)}
          </select>
        </span>
      );
    case "lines":
      return <textarea {...common} rows={Math.min(Math.max(lines + 1, 2), 12)} value={input.text} onInput={typed} />;
    case "json":
      return <textarea {...common} class="code" rows={Math.min(Math.max(lines, 3), 16)} value={input.text} onInput={typed} />;
    case "text":
      if (field.secret) {
        return (
          <span class="with-button">
            {shown
              ? <input {...common} value={input.text} onInput={typed} />
              : <input {...common} type="password" autocomplete="new-password" value={input.text} onInput={typed} />}
            <button type="button" onClick={() => setShown(!shown)} aria-pressed={shown}>{shown ? "Hide" : "Show"}</button>
          </span>
        );
      }
      return lines > 1 || input.text.length > 200
        ? <textarea {...common} rows={Math.min(lines + 1, 12)} value={input.text} onInput={typed} />
        : <input {...common} value={input.text} onInput={typed} />;
  }
}
