import { stringify } from "../api/json";
import type { Grant } from "../api/types";
import { bytes, integer } from "../format";
import { brief } from "../text";

export function GrantView({ grant }: { grant: Grant }) {
  return (
    <section class="card grant">
      <h2>What this tenant was granted</h2>
      <dl class="pairs">
        <div><dt>Tools</dt><dd><Names names={grant.tools} /></dd></div>
        <div><dt>Credentials</dt><dd><Names names={grant.credentials} /></dd></div>
        <div><dt>Hosts</dt><dd><Names names={grant.hosts} /></dd></div>
      </dl>
      <h3>Limits of a step</h3>
      <dl class="limits">
        {Object.entries(grant.limits).map(([name, value]) => (
          <div key={name}><dt>{brief(name.replaceAll("_", " "), 60)}</dt><dd>{limit(name, value)}</dd></div>
        ))}
      </dl>
    </section>
  );
}

function Names({ names }: { names: string[] | "all" }) {
  if (names === "all") return <>all of its own</>;
  if (names.length === 0) return <span class="quiet">none</span>;
  return <>{names.map((name) => <code key={name} class="name">{brief(name, 80)}</code>)}</>;
}

const IN_BYTES = /memory|bytes|^output$|^log$/;

function limit(name: string, value: unknown): string {
  if (typeof value === "string") return brief(value, 60);
  if (typeof value !== "number") return brief(stringify(value), 60);
  return IN_BYTES.test(name) ? bytes(value) : integer(value);
}
