import type { Tool } from "../api/types";
import { brief } from "../text";
import { asksOf } from "./capabilities";
import { abilitiesOf } from "./imports";

/** What a tool asks for, by its manifest. */
export function Asks({ tool }: { tool: Tool }) {
  const asks = asksOf(tool);
  if (asks === null) return <Abilities imports={tool.imports} />;
  return (
    <ul class="abilities asks">
      {asks.map(({ words, warning }) => (
        <li key={words} class="reaches">
          {brief(words, 400)}{warning && <span class="field-warning"> {brief(warning, 200)}</span>}
        </li>
      ))}
      {asks.length === 0 && <li>Asks for nothing: it only computes</li>}
    </ul>
  );
}

/** What its imports allow. */
export function Abilities({ imports }: { imports: string[] }) {
  return (
    <ul class="abilities">
      {abilitiesOf(imports).map(({ words, imports, reaches }) => (
        <li key={words} class={reaches ? "reaches" : ""} title={brief(imports.join("\n"), 1_000)}>{brief(words, 160)}</li>
      ))}
      {imports.length === 0 && <li>Imports nothing: it only computes</li>}
    </ul>
  );
}

export function Imports({ imports }: { imports: string[] }) {
  return (
    <details>
      <summary class="quiet">{imports.length} imports</summary>
      <ul class="plain-list imports">{imports.slice(0, 200).map((each) => <li key={each}><code>{brief(each, 120)}</code></li>)}</ul>
    </details>
  );
}
