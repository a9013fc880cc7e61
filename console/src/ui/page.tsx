import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { brief } from "../text";

interface PageProps {
  title: string;
  /** What the browser's tab says, if not the title. */
  tab?: string;
  heading?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

export function Page({ title, tab = title, heading, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${brief(tab, 80)} – noetl`;
  }, [tab]);
  return (
    <>
      <div class="page-head">
        <div class="page-title">{heading ?? <h1>{brief(title, 200)}</h1>}</div>
        {actions && <div class="actions">{actions}</div>}
      </div>
      {children}
    </>
  );
}

export const Loading = () => <p class="quiet loading" role="status">Loading…</p>;

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}
