import type { ExecutionFilter } from "../api/executions";
import { STATUSES } from "../api/types";
import { route, setQuery } from "../router";
import { brief } from "../text";
import { Icon } from "../ui/icon";

const HOUR = 3_600_000;
const PERIODS: Record<string, { title: string; ms: number }> = {
  "1h": { title: "Last hour", ms: HOUR },
  "24h": { title: "Last 24 hours", ms: 24 * HOUR },
  "7d": { title: "Last 7 days", ms: 168 * HOUR },
};

/** The filter that the page's address holds. */
export function filterOf(query: URLSearchParams): ExecutionFilter {
  const period = PERIODS[query.get("period") ?? ""];
  return {
    status: (query.get("status") ?? "").split(",").filter(Boolean),
    path: query.get("path") ?? "",
    since: period ? new Date(Date.now() - period.ms).toISOString() : iso(query.get("since")),
    until: period ? null : iso(query.get("until")),
    parent: query.get("parent"),
  };
}

function iso(local: string | null): string | null {
  const date = new Date(local ?? "");
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

let typing = 0;

export function ExecutionFilters() {
  const { query } = route.value;
  const chosen = (query.get("status") ?? "").split(",").filter(Boolean);
  const between = query.get("period") === "between";
  const toggle = (status: string) => {
    const next = chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
    setQuery({ status: next.join(",") });
  };
  const typed = (path: string) => {
    clearTimeout(typing);
    typing = setTimeout(() => setQuery({ path: path.trim() }), 250) as unknown as number;
  };
  return (
    <div class="filters" role="search">
      <input type="search" data-filter aria-label="Path begins with" placeholder="Path begins with…  ( / )"
        value={query.get("path") ?? ""} onInput={(event) => typed(event.currentTarget.value)} />
      {query.get("parent") && (
        <button type="button" class="chip" aria-pressed title="Show all executions" onClick={() => setQuery({ parent: null })}>
          Called by {brief(query.get("parent")!.slice(-8), 8)}
        </button>
      )}
      <div class="chips" role="group" aria-label="State">
        {STATUSES.map((status) => (
          <button key={status} type="button" class="chip" data-status={status}
            aria-pressed={chosen.includes(status)} onClick={() => toggle(status)}>
            <Icon name={status} />{status}
          </button>
        ))}
      </div>
      <select aria-label="Started" value={query.get("period") ?? ""}
        onChange={(event) => setQuery({ period: event.currentTarget.value, since: null, until: null })}>
        <option value="">Any time</option>
        {Object.entries(PERIODS).map(([name, { title }]) => <option key={name} value={name}>{title}</option>)}
        <option value="between">Between…</option>
      </select>
      {between && (
        <>
          <input type="datetime-local" aria-label="From" value={query.get("since") ?? ""}
            onChange={(event) => setQuery({ since: event.currentTarget.value })} />
          <input type="datetime-local" aria-label="Until" value={query.get("until") ?? ""}
            onChange={(event) => setQuery({ until: event.currentTarget.value })} />
        </>
      )}
    </div>
  );
}
