import { useState } from "preact/hooks";
import { createKey, listKeys, revokeKey } from "../api/tenant";
import { asProblem, type Problem } from "../api/problem";
import type { Key, Role } from "../api/types";
import { now } from "../clock";
import { useLoad } from "../load";
import { canAdminister } from "../session";
import { brief } from "../text";
import { Copy } from "../ui/copy";
import { ConfirmButton, Dialog } from "../ui/dialog";
import { Empty, Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";
import { Time } from "../ui/time";

const ROLES: Record<Role, string> = {
  viewer: "looks",
  runner: "looks and runs playbooks",
  author: "also registers playbooks",
  admin: "also has credentials and keys",
};

export function KeysPage() {
  if (!canAdminister.value) {
    return <Page title="API keys"><p class="note">Keys are an admin's business.</p></Page>;
  }
  return <Keys />;
}

function Keys() {
  const { data, problem, reload } = useLoad((signal) => listKeys(signal), []);
  const [adding, setAdding] = useState(false);
  const revoke = async (id: string) => {
    await revokeKey(id);
    reload();
  };
  return (
    <Page title="API keys" actions={<button type="button" class="primary" onClick={() => setAdding(true)}>Create a key</button>}>
      {problem && <ProblemNote problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && data.keys.length === 0 && <Empty>There is no key yet.</Empty>}
      {data && data.keys.length > 0 && (
        <div class="table-box">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Name</th><th scope="col">Role</th><th scope="col" class="wide">Playbooks</th>
                <th scope="col" class="wide">Created</th><th scope="col" class="wide">Last used</th>
                <th scope="col">State</th><th scope="col"><span class="sr">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {data.keys.map((key) => (
                <tr key={key.id} class={key.revoked_at ? "gone" : ""}>
                  <td class="main" tabIndex={-1} data-entry>{brief(key.name, 80)} <code class="quiet">{brief(key.id.slice(-8), 8)}</code></td>
                  <td>{key.role}</td>
                  <td class="wide">{key.paths ? brief(key.paths.join(", "), 80) : "all"}</td>
                  <td class="wide nowrap"><Time at={key.created_at} />{key.created_by && <span class="quiet"> by {brief(key.created_by, 40)}</span>}</td>
                  <td class="wide nowrap">{key.last_used_at ? <Time at={key.last_used_at} /> : <span class="quiet">never</span>}</td>
                  <td class="nowrap"><KeyState of={key} /></td>
                  <td class="row-actions">
                    {!key.revoked_at && (
                      <ConfirmButton label="Revoke" title={`Revoke ${brief(key.name, 80)}?`} action="Revoke" onConfirm={() => revoke(key.id)}>
                        <p>Whoever uses it is refused from now on. This can't be undone.</p>
                      </ConfirmButton>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && <KeyDialog onClose={() => setAdding(false)} onCreated={reload} />}
    </Page>
  );
}

function KeyState({ of: key }: { of: Key }) {
  if (key.revoked_at) return <>revoked <Time at={key.revoked_at} /></>;
  if (!key.expires_at) return <>does not expire</>;
  const gone = Date.parse(key.expires_at) < now.value;
  return <>{gone ? "expired" : "expires"} <Time at={key.expires_at} /></>;
}

function KeyDialog({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("runner");
  const [paths, setPaths] = useState("");
  const [expires, setExpires] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const [key, setKey] = useState<string | null>(null);

  const create = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const only = paths.split(/[\s,]+/).filter(Boolean);
    try {
      const created = await createKey({
        name: name.trim(),
        role,
        ...(only.length > 0 && { paths: only }),
        expires_at: expires ? new Date(expires).toISOString() : null,
      });
      setKey(created.key);
      onCreated();
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  if (key !== null) {
    return (
      <Dialog title="The new key" onClose={onClose}>
        <p>It is shown this once. Keep it where secrets are kept.</p>
        <p class="new-key"><code>{brief(key, 500)}</code></p>
        <div class="actions end">
          <Copy text={() => key} label="Copy the key" />
          <button type="button" class="primary" onClick={onClose}>Done</button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Create a key" onClose={onClose}>
      <form class="dialog-form" onSubmit={create}>
        <label class="field">Name
          <input value={name} required autofocus autocomplete="off" placeholder="What it is for"
            onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label class="field">Role
          <select value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
            {Object.entries(ROLES).map(([each, words]) => <option key={each} value={each}>{each}: {words}</option>)}
          </select>
        </label>
        <label class="field">Only playbooks whose paths begin with
          <input value={paths} spellcheck={false} autocomplete="off" placeholder="all; or: api_integration/ reports/"
            onInput={(event) => setPaths(event.currentTarget.value)} />
        </label>
        <label class="field">Expires
          <input type="datetime-local" value={expires} onInput={(event) => setExpires(event.currentTarget.value)} />
        </label>
        {problem && <ProblemNote problem={problem} />}
        <div class="actions end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="primary" disabled={busy || name.trim() === ""}>Create</button>
        </div>
      </form>
    </Dialog>
  );
}
