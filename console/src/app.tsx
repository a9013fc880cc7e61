import type { ComponentType } from "preact";
import { shortcutsShown } from "./keys";
import { CredentialsPage } from "./pages/credentials";
import { ExecutionPage } from "./pages/execution";
import { ExecutionsPage } from "./pages/executions";
import { KeysPage } from "./pages/keys";
import { PlaybookPage } from "./pages/playbook";
import { PlaybooksPage } from "./pages/playbooks";
import { SignInPage } from "./pages/sign-in";
import { ToolPage } from "./pages/tool";
import { ToolsPage } from "./pages/tools";
import { UploadPage } from "./pages/upload";
import { href, route } from "./router";
import { loadSession, me, sessionProblem } from "./session";
import { signInNeeded } from "./session-token";
import { Header } from "./ui/header";
import { Loading, Page } from "./ui/page";
import { ProblemNote } from "./ui/problem";
import { Shortcuts } from "./ui/shortcuts";

const PAGES: Record<string, ComponentType> = {
  "": ExecutionsPage,
  executions: ExecutionsPage,
  playbooks: PlaybooksPage,
  upload: UploadPage,
  tools: ToolsPage,
  credentials: CredentialsPage,
  keys: KeysPage,
};

export function App() {
  if (signInNeeded.value) return <SignInPage />;
  if (sessionProblem.value) {
    return <main class="centre"><ProblemNote problem={sessionProblem.value} retry={loadSession} /></main>;
  }
  if (!me.value) return <main class="centre"><Loading /></main>;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
      <Header />
      <main id="main" tabIndex={-1}><Content /></main>
      {shortcutsShown.value && <Shortcuts />}
    </>
  );
}

function Content() {
  const { page, rest } = route.value;
  if (page === "executions" && rest) return <ExecutionPage key={rest} id={rest} />;
  if (page === "playbooks" && rest) return <PlaybookPage key={rest} path={rest} />;
  if (page === "tools" && rest) return <ToolPage key={rest} name={rest} />;
  const Known = Object.hasOwn(PAGES, page) ? PAGES[page] : undefined;
  if (Known) return <Known />;
  return (
    <Page title="There is no such page">
      <p><a href={href("executions")}>To the executions</a></p>
    </Page>
  );
}

// The hash is the page's address, so a link to a fragment can't do this.
function skip(event: Event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
