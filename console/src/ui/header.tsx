import { shortcutsShown } from "../keys";
import { href, route } from "../router";
import { canAdminister, me, signOut } from "../session";
import { brief } from "../text";
import { nextTheme, theme } from "../theme";
import { Icon } from "./icon";
import { Logo } from "./logo";

export function Header() {
  const who = me.value!;
  const said = [`tenant ${who.tenant}`, who.subject, `role ${who.role}`, who.paths && `only ${who.paths.join(", ")}`];
  return (
    <header class="top">
      <a class="brand" href={href("executions")}><Logo />noetl</a>
      <nav aria-label="Pages">
        <Tab page="executions" title="Executions" also={[""]} />
        <Tab page="playbooks" title="Playbooks" also={["upload"]} />
        <Tab page="tools" title="Tools" />
        <Tab page="credentials" title="Credentials" />
        {canAdminister.value && <Tab page="keys" title="Keys" />}
      </nav>
      <div class="who" title={brief(said.filter(Boolean).join(" · "), 300)}>
        <span class="tenant">{brief(who.tenant, 30)}</span>
        <span class="role">{who.role}</span>
      </div>
      <div class="tools">
        <button type="button" class="icon-button" onClick={nextTheme}
          aria-label={`Colours: ${theme.value}`} title={`Colours: ${theme.value}`}>
          <Icon name={theme.value} />
        </button>
        <button type="button" class="icon-button" onClick={() => (shortcutsShown.value = true)}
          aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">?</button>
        {who.auth !== "open" && <button type="button" class="quiet-button" onClick={signOut}>Sign out</button>}
      </div>
    </header>
  );
}

function Tab({ page, title, also = [] }: { page: string; title: string; also?: string[] }) {
  const here = route.value.page === page || also.includes(route.value.page);
  return <a href={href(page)} aria-current={here ? "page" : undefined}>{title}</a>;
}
