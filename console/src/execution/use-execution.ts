import { useEffect, useState } from "preact/hooks";
import { eventsOf, getExecution } from "../api/executions";
import { asProblem, type Problem } from "../api/problem";
import { follow } from "../api/stream";
import type { Execution, ExecutionEvent } from "../api/types";
import { foldAll } from "./fold";

export interface Watched {
  execution: Execution | null;
  problem: Problem | null;
  /** Whether news arrive as they happen. */
  live: "off" | "on" | "broken";
  reload: () => void;
}

/** After these the server knows more than the event tells. */
const RELOAD_AFTER = new Set(["execution_finished", "execution_resumed", "events_left_out"]);

/** An execution, kept up to date while it runs. */
export function useExecution(id: string): Watched {
  const [state, setState] = useState<Omit<Watched, "reload">>({ execution: null, problem: null, live: "off" });
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    let current: Execution | null = null;
    let news: ExecutionEvent[] = [];
    let frame = 0;
    let stop = () => {};
    setState((old) => (old.execution?.execution_id === id ? old : { execution: null, problem: null, live: "off" }));
    void load();
    return () => {
      abort.abort();
      stop();
      cancelAnimationFrame(frame);
    };

    async function load() {
      stop();
      news = [];
      try {
        current = await getExecution(id, abort.signal);
        const running = current.status === "running";
        setState({ execution: current, problem: null, live: running ? "on" : "off" });
        if (running) watch(current);
      } catch (thrown) {
        if (!abort.signal.aborted) setState((old) => ({ ...old, problem: asProblem(thrown), live: "off" }));
      }
    }

    function watch(execution: Execution) {
      const last = execution.events.at(-1)?.seq;
      stop = follow(eventsOf(id), {
        onOpen: () => setState((old) => ({ ...old, live: "on" })),
        onBreak: () => setState((old) => ({ ...old, live: "broken" })),
        onRefused: (problem) => setState((old) => ({ ...old, problem, live: "off" })),
        onEvent: ({ event, data }) => {
          const next = data as ExecutionEvent;
          if (last !== undefined && next.seq <= last) return;
          if (RELOAD_AFTER.has(event)) return void load();
          news.push(next);
          frame ||= requestAnimationFrame(takeIn);
        },
      }, last === undefined ? undefined : String(last));
    }

    // Many events may come at once; they are drawn together.
    function takeIn() {
      frame = 0;
      if (!current) return;
      current = foldAll(current, news);
      news = [];
      setState((old) => ({ ...old, execution: current }));
    }
  }, [id, turn]);

  return { ...state, reload: () => setTurn((n) => n + 1) };
}
