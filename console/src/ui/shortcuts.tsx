import { PAGES_BY_KEY, shortcutsShown } from "../keys";
import { canAdminister } from "../session";
import { Dialog } from "./dialog";

const KEYS: [keys: string[], what: string][] = [
  [["/"], "Filter"],
  [["j"], "Next entry of the list"],
  [["k"], "Previous entry"],
  [["Enter"], "Open the entry"],
  [["←", "→"], "Back and forward in a replay"],
  [["Esc"], "Close, or leave the filter"],
  [["?"], "These shortcuts"],
];

export function Shortcuts() {
  const pages = Object.entries(PAGES_BY_KEY).filter(([, { page }]) => page !== "keys" || canAdminister.value);
  const all = [...KEYS, ...pages.map(([key, { title }]): [string[], string] => [["g", key], title])];
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => (shortcutsShown.value = false)}>
      <dl class="shortcuts">
        {all.map(([keys, what]) => (
          <div key={what}>
            <dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="actions end">
        <button type="button" onClick={() => (shortcutsShown.value = false)}>Close</button>
      </div>
    </Dialog>
  );
}
