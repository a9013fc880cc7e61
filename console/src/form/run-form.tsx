import { useMemo, useState } from "preact/hooks";
import { stringify } from "../api/json";
import { startExecution } from "../api/executions";
import { asProblem, Problem } from "../api/problem";
import type { Playbook } from "../api/types";
import { executionHref, go } from "../router";
import { attemptId } from "../random";
import { brief } from "../text";
import { Empty } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { FieldInput } from "./field";
import { fieldsOf, inputsOf, isMapping, payloadOf, readJson } from "./model";

/** Runs a playbook with input that a person types. */
export function RunForm({ playbook }: { playbook: Playbook }) {
  const fields = useMemo(() => fieldsOf(playbook.workload), [playbook]);
  const [inputs, setInputs] = useState(() => inputsOf(fields));
  const [raw, setRaw] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useMemo(() => payloadOf(fields, inputs), [fields, inputs]);
  const rawError = useMemo(() => (raw === null ? null : errorOf(raw)), [raw]);
  const wrong = raw === null ? Object.keys(form.errors).length > 0 : rawError !== null;

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const payload = raw === null ? form.payload : readJson(raw);
      go(executionHref(await startExecution(`${playbook.path}@${playbook.version}`, payload, attemptId())));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="card run-form" onSubmit={submit}>
      <div class="form-head">
        <h2>Run version {playbook.version}</h2>
        <label class="check">
          <input type="checkbox" checked={raw !== null}
            onChange={() => setRaw(raw === null ? stringify(form.payload, 2) : null)} />
          As JSON
        </label>
      </div>
      {raw === null && fields.length === 0 && <Empty>This playbook takes no input.</Empty>}
      {raw === null && fields.map((field) => (
        <FieldInput key={field.name} field={field} input={inputs[field.name]!}
          error={own(form.errors, field.name)} warning={own(form.warnings, field.name)}
          onChange={(input) => setInputs({ ...inputs, [field.name]: input })} />
      ))}
      {raw !== null && (
        <label class="field">
          Payload, merged over the playbook's workload
          <textarea class="code" rows={14} value={raw} spellcheck={false} aria-invalid={rawError !== null}
            onInput={(event) => setRaw(event.currentTarget.value)} />
          {rawError && <span class="field-error" role="alert">{brief(rawError, 300)}</span>}
        </label>
      )}
      {problem && <ProblemNote problem={problem} />}
      <div class="actions"><button type="submit" class="primary" disabled={busy || wrong}>Run</button></div>
    </form>
  );
}

const own = (object: Record<string, string>, name: string) => (Object.hasOwn(object, name) ? object[name] : undefined);

function errorOf(raw: string): string | null {
  try {
    return isMapping(readJson(raw)) ? null : "The payload is a JSON object: { … }.";
  } catch (error) {
    return (error as Error).message;
  }
}
