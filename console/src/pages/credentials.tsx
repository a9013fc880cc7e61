import { useState } from "preact/hooks";
import { deleteCredential, listCredentials, putCredential } from "../api/tenant";
import { asProblem, type Problem } from "../api/problem";
import { useLoad } from "../load";
import { canAdminister } from "../session";
import { brief } from "../text";
import { ConfirmButton, Dialog } from "../ui/dialog";
import { Empty, Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { Time } from "../ui/time";

export function CredentialsPage() {
  const { data, problem, reload } = useLoad((signal) => listCredentials(signal), []);
  const [edited, setEdited] = useState<string | null>(null);
  const add = canAdminister.value && (
    <button type="button" class="primary" onClick={() => setEdited("")}>Add a credential</button>
  );
  const remove = async (alias: string) => {
    await deleteCredential(alias);
    reload();
  };
  return (
    <Page title="Credentials" actions={add}>
      <p class="quiet lead">A playbook names a credential by its alias. Its values are never given out, not here either.</p>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && data.credentials.length === 0 && <Empty>There is no credential.</Empty>}
      {data && data.credentials.length > 0 && (
        <div class="table-box">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Alias</th><th scope="col">Type</th><th scope="col" class="wide">Privileged role</th>
                <th scope="col">Changed</th><th scope="col"><span class="sr">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {data.credentials.map((each) => (
                <tr key={each.alias}>
                  <td class="main" tabIndex={-1} data-entry><code>{brief(each.alias, 120)}</code></td>
                  <td>{brief(each.type, 40)}</td>
                  <td class="wide">{each.allow_privileged ? "allowed" : "refused"}</td>
                  <td class="nowrap"><Time at={each.updated_at} /></td>
                  <td class="row-actions">
                    {canAdminister.value && (
                      <>
                        <button type="button" class="quiet-button" onClick={() => setEdited(each.alias)}>Replace</button>
                        <ConfirmButton label="Delete" title="Delete the credential?" action="Delete" onConfirm={() => remove(each.alias)}>
                          <p>Steps that name <code>{brief(each.alias, 120)}</code> fail from now on.</p>
                        </ConfirmButton>
                      </>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {edited !== null && <CredentialDialog alias={edited} onClose={() => setEdited(null)} onSaved={() => (setEdited(null), reload())} />}
    </Page>
  );
}

function CredentialDialog({ alias: known, onClose, onSaved }: { alias: string; onClose: () => void; onSaved: () => void }) {
  const [alias, setAlias] = useState(known);
  const [url, setUrl] = useState("");
  const [privileged, setPrivileged] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const credential = { type: "postgres", url, ...(privileged && { allow_privileged: true }) };
      await putCredential(alias.trim(), credential);
      onSaved();
    } catch (thrown) {
      setProblem(asProblem(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog title={known ? `Replace ${brief(known, 80)}` : "Add a credential"} onClose={onClose}>
      <form class="dialog-form" onSubmit={save}>
        {!known && (
          <label class="field">Alias
            <input value={alias} required spellcheck={false} autocomplete="off" autofocus
              onInput={(event) => setAlias(event.currentTarget.value)} />
          </label>
        )}
        <label class="field">Address of the PostgreSQL database, with user and password
          <input type="password" value={url} required autocomplete="new-password" spellcheck={false}
            placeholder="postgres://user:password@host/database" onInput={(event) => setUrl(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={privileged} onChange={(event) => setPrivileged(event.currentTarget.checked)} />
          Allow a role with more rights than a playbook needs
        </label>
        {problem && <ProblemNote problem={problem} />}
        <div class="actions end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="primary" disabled={busy}>{known ? "Replace" : "Add"}</button>
        </div>
      </form>
    </Dialog>
  );
}
