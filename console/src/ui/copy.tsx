import { useState } from "preact/hooks";
import { Icon } from "./icon";

export function Copy({ text, label = "Copy" }: { text: () => string; label?: string }) {
  const [outcome, setOutcome] = useState<string | null>(null);
  const copy = () =>
    navigator.clipboard.writeText(text()).then(
      () => setOutcome("Copied"),
      () => setOutcome("The browser did not allow it"),
    ).then(() => setTimeout(() => setOutcome(null), 2_000));
  return (
    <button type="button" class="quiet-button" onClick={copy} aria-label={label || "Copy"} title={label || "Copy"} disabled={!navigator.clipboard}>
      <Icon name={outcome === "Copied" ? "check" : "copy"} />
      <span aria-live="polite">{outcome ?? label}</span>
    </button>
  );
}
