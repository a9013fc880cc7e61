import { useEffect, useRef, useState } from "preact/hooks";
import { getPlaybook, registerPlaybooks, validatePlaybooks, type PlaybookFile } from "../api/catalog";
import { asProblem, type Problem } from "../api/problem";
import type { PlaybookMistake } from "../api/types";
import { plural } from "../format";
import { playbookHref, route } from "../router";
import { canWrite } from "../session";
import { Mistakes } from "../source/mistakes";
import { brief } from "../text";
import { Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";

const NEW_FILE: PlaybookFile = { file: "playbook.yaml", content: "" };

type Outcome =
  | { kind: "valid"; playbooks: { path: string }[] }
  | { kind: "registered"; playbooks: { path: string; version: number }[] }
  | { kind: "problem"; problem: Problem };

export function UploadPage() {
  const [files, setFiles] = useState<PlaybookFile[]>([NEW_FILE]);
  const [current, setCurrent] = useState(0);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);
  const text = useRef<HTMLTextAreaElement>(null);
  const { query } = route.value;
  const from = query.get("from");

  const problemOf = (thrown: unknown) => setOutcome({ kind: "problem", problem: asProblem(thrown) });
  useEffect(() => {
    if (!from) return;
    getPlaybook(from, Number(query.get("version")) || null).then(
      ({ file, content }) => setFiles([{ file, content }]), problemOf);
  }, [from]);

  const change = (part: Partial<PlaybookFile>) => {
    setFiles(files.map((each, i) => (i === current ? { ...each, ...part } : each)));
    if (outcome?.kind !== "problem") setOutcome(null);
  };
  const take = async (chosen: FileList | null | undefined) => {
    if (!chosen || chosen.length === 0) return;
    const read = await Promise.all([...chosen].map(async (each) => ({ file: each.name, content: await each.text() })));
    setFiles(read);
    setCurrent(0);
    setOutcome(null);
  };
  const send = async (register: boolean) => {
    setBusy(true);
    setOutcome(null);
    try {
      setOutcome(register
        ? { kind: "registered", playbooks: (await registerPlaybooks(files)).playbooks }
        : { kind: "valid", playbooks: (await validatePlaybooks(files)).playbooks });
    } catch (thrown) {
      problemOf(thrown);
    } finally {
      setBusy(false);
    }
  };
  const goTo = (mistake: PlaybookMistake) => {
    const at = Math.max(0, files.findIndex((each) => each.file === mistake.file));
    setCurrent(at);
    setTimeout(() => text.current && select(text.current, mistake.line ?? 1, mistake.column ?? 1));
  };

  const file = files[current]!;
  const empty = files.every((each) => each.content.trim() === "");
  if (!canWrite.value) {
    return <Page title="Add a playbook"><p class="note">Your role may not register playbooks; that takes an author.</p></Page>;
  }
  return (
    <Page title={from ? `Edit ${from}` : "Add a playbook"}>
      <div class={outcome ? "split" : ""}>
        <div class="card upload" onDragOver={(event) => event.preventDefault()}
          onDrop={(event) => (event.preventDefault(), take(event.dataTransfer?.files))}>
          <div class="upload-head">
            <label class="button">
              Choose files
              <input type="file" class="sr" multiple accept=".yaml,.yml,text/yaml"
                onChange={(event) => take(event.currentTarget.files)} />
            </label>
            <span class="quiet">or drop them here, or write below.</span>
          </div>
          {files.length > 1 && (
            <div class="chips" role="group" aria-label="Files">
              {files.map((each, i) => (
                <button key={i} type="button" class="chip" aria-pressed={i === current} onClick={() => setCurrent(i)}>{brief(each.file, 60)}</button>
              ))}
            </div>
          )}
          <label class="field">
            File
            <input value={file.file} spellcheck={false} onInput={(event) => change({ file: event.currentTarget.value })} />
          </label>
          <label class="field">
            Text
            <textarea ref={text} class="code" rows={22} value={file.content} spellcheck={false} wrap="off"
              onInput={(event) => change({ content: event.currentTarget.value })} />
          </label>
          <div class="actions">
            <button type="button" disabled={busy || empty} onClick={() => send(false)}>Validate</button>
            <button type="button" class="primary" disabled={busy || empty} onClick={() => send(true)}>
              {files.length > 1 ? `Register ${plural(files.length, "playbook")}` : "Register"}
            </button>
          </div>
        </div>
        {outcome && <div class="outcome"><OutcomeView outcome={outcome} files={files} onGo={goTo} /></div>}
      </div>
    </Page>
  );
}

function OutcomeView({ outcome, files, onGo }:
  { outcome: Outcome; files: PlaybookFile[]; onGo: (mistake: PlaybookMistake) => void }) {
  if (outcome.kind === "problem") {
    const { mistakes } = outcome.problem;
    return mistakes.length > 0
      ? <Mistakes mistakes={mistakes} files={files} onGo={onGo} />
      : <ProblemNote problem={outcome.problem} />;
  }
  if (outcome.kind === "valid") {
    const paths = outcome.playbooks.map((each) => each.path).join(", ");
    return <p class="note good" role="status">Valid: {brief(paths, 1_000)}. Nothing was stored.</p>;
  }
  return (
    <div class="note good" role="status">
      <p>Registered:</p>
      <ul>
        {outcome.playbooks.map(({ path, version }) => (
          <li key={path}><a href={playbookHref(path, { version })}>{brief(path, 200)}@{version}</a></li>
        ))}
      </ul>
    </div>
  );
}

/** Puts the cursor at a place of the text. */
function select(area: HTMLTextAreaElement, line: number, column: number) {
  const lines = area.value.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const end = before + (lines[line - 1]?.length ?? 0);
  area.focus();
  area.setSelectionRange(Math.min(before + column - 1, end), end);
  area.scrollTop = (line - 5) * (area.scrollHeight / Math.max(lines.length, 1));
}
