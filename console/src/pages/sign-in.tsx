import { useEffect, useRef, useState } from "preact/hooks";
import { loadSession, me, sessionProblem, signIn } from "../session";
import { Logo } from "../ui/logo";
import { ProblemNote } from "../ui/problem";

export function SignInPage() {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setRefused(false);
    const good = await signIn(text.trim());
    setBusy(false);
    setRefused(!good && !sessionProblem.value);
  };
  return (
    <main class="centre">
      <form class="card sign-in" onSubmit={submit}>
        <div class="brand"><Logo />noetl</div>
        <h1>Sign in</h1>
        <label>
          API key or access token
          <input ref={input} type="password" name="token" value={text} autocomplete="off" spellcheck={false} required
            placeholder="noetl_…" onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <p class="quiet">It is kept in this tab only, until the tab is closed.</p>
        {refused && <p class="note bad" role="alert">The server does not take this key. It may have expired or been revoked.</p>}
        {!me.value && sessionProblem.value && <ProblemNote problem={sessionProblem.value} retry={loadSession} />}
        <button type="submit" class="primary" disabled={busy || text.trim() === ""}>Sign in</button>
      </form>
    </main>
  );
}
