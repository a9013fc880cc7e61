import { useEffect, useRef, useState } from "preact/hooks";
import { asProblem, type Problem } from "./api/problem";

export interface Loaded<T> {
  /** The newest data; also while it is loaded anew. */
  data: T | null;
  problem: Problem | null;
  loading: boolean;
  reload: () => void;
  set: (change: (data: T) => T) => void;
}

/** Loads something whenever `inputs` change; what was under way is given up. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, inputs: unknown[]): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; problem: Problem | null; loading: boolean }>({
    data: null, problem: null, loading: true,
  });
  const [turn, setTurn] = useState(0);
  const lastInputs = useRef<string | null>(null);
  const key = JSON.stringify(inputs);

  useEffect(() => {
    const abort = new AbortController();
    const same = lastInputs.current === key;
    lastInputs.current = key;
    setState((old) => ({ data: same ? old.data : null, problem: null, loading: true }));
    load(abort.signal).then(
      (data) => !abort.signal.aborted && setState({ data, problem: null, loading: false }),
      (thrown) => !abort.signal.aborted &&
        setState((old) => ({ ...old, problem: asProblem(thrown), loading: false })),
    );
    return () => abort.abort();
  }, [key, turn]);

  return {
    ...state,
    reload: () => setTurn((n) => n + 1),
    set: (change) => setState((old) => (old.data === null ? old : { ...old, data: change(old.data) })),
  };
}

const BETWEEN_LOOKS = 1_000;

/** Loads again and again while what was loaded is not settled. */
export function useReloads<T>({ data, reload }: Loaded<T>, unsettled: (data: T) => boolean): void {
  useEffect(() => {
    if (data === null || !unsettled(data)) return;
    const timer = setTimeout(reload, BETWEEN_LOOKS);
    return () => clearTimeout(timer);
  }, [data]);
}
