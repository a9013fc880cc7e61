import { useEffect, useMemo, useState } from "preact/hooks";
import { LIVE_EXECUTIONS, listExecutions, type ExecutionFilter } from "../api/executions";
import { asProblem, type Problem } from "../api/problem";
import { follow } from "../api/stream";
import type { ExecutionSummary } from "../api/types";
import { ExecutionFilters, filterOf } from "../execution/filters";
import { merge, update } from "../execution/list";
import { ExecutionTable } from "../execution/table";
import { href, route } from "../router";
import { Icon } from "../ui/icon";
import { Empty, Loading, Page } from "../ui/page";
import { ProblemNote } from "../ui/problem";

const PAGE = 50;

export function ExecutionsPage() {
  const { query } = route.value;
  const filter = useMemo(() => filterOf(query), [query.toString()]);
  const { list, cursor, shown, problem, live, more } = useExecutions(filter);
  const filtered = query.toString() !== "";
  return (
    <Page title="Executions" actions={<LiveMark live={live} />}>
      <ExecutionFilters />
      {problem && <ProblemNote problem={problem} />}
      {!list && !problem && <Loading />}
      {list && list.length === 0 && (
        <Empty>
          {filtered ? "No execution fits the filter." : <>Nothing has run yet. <a href={href("playbooks")}>Choose a playbook</a></>}
        </Empty>
      )}
      {list && list.length > 0 && <ExecutionTable executions={list.slice(0, shown)} />}
      {list && (cursor !== null || list.length > shown) && (
        <p class="load-more"><button type="button" onClick={more}>Load more</button></p>
      )}
    </Page>
  );
}

function LiveMark({ live }: { live: boolean }) {
  return (
    <span class={`live ${live ? "on" : ""}`} role="status">
      <Icon name="live" />{live ? "Live" : "Not live; connecting…"}
    </span>
  );
}

interface Listed {
  list: ExecutionSummary[] | null;
  cursor: string | null;
  problem: Problem | null;
}

/** The executions that fit the filter, kept up to date. */
function useExecutions(filter: ExecutionFilter) {
  const [state, setState] = useState<Listed>({ list: null, cursor: null, problem: null });
  const [shown, setShown] = useState(PAGE);
  const [live, setLive] = useState(false);

  useEffect(() => {
    const abort = new AbortController();
    setState({ list: null, cursor: null, problem: null });
    setShown(PAGE);
    const load = () =>
      listExecutions(filter, null, abort.signal).then(
        (page) => setState((old) => ({
          list: merge(old.list ?? [], page.executions),
          cursor: old.list ? old.cursor : page.next_cursor,
          problem: null,
        })),
        (thrown) => !abort.signal.aborted && setState((old) => ({ ...old, problem: asProblem(thrown) })),
      );
    void load();
    let connected = false;
    const stop = follow(LIVE_EXECUTIONS, {
      onOpen: () => {
        setLive(true);
        // What happened while there was no connection.
        if (connected) void load();
        connected = true;
      },
      onBreak: () => setLive(false),
      onRefused: () => setLive(false),
      onEvent: ({ event, data }) => {
        if (event !== "execution") return;
        const news = data as ExecutionSummary;
        setState((old) => ({ ...old, list: update(old.list ?? [], filter, news) }));
      },
    });
    return () => {
      abort.abort();
      stop();
    };
  }, [filter]);

  const more = async () => {
    if (state.list && state.list.length > shown) setShown(shown + PAGE);
    if (state.cursor === null || (state.list?.length ?? 0) > shown + PAGE) return;
    try {
      const page = await listExecutions(filter, state.cursor);
      setState((old) => ({ ...old, list: merge(old.list ?? [], page.executions), cursor: page.next_cursor, problem: null }));
      setShown((n) => Math.max(n, shown + PAGE));
    } catch (thrown) {
      setState((old) => ({ ...old, problem: asProblem(thrown) }));
    }
  };
  return { ...state, shown, live, more };
}
