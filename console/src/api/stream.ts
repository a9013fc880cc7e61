// Server-sent events, read with fetch because EventSource sends no headers.

import { createParser } from "eventsource-parser";
import { parse } from "./json";
import { send } from "./client";
import { asProblem, type Problem } from "./problem";

export interface StreamEvent {
  id: string | undefined;
  event: string;
  data: unknown;
}

export interface Listener {
  /** Each time the connection stands, first or again. */
  onOpen?: () => void;
  onEvent: (event: StreamEvent) => void;
  /** The connection broke; another one will be tried. */
  onBreak?: () => void;
  /** No other one will be tried: the server refused. */
  onRefused?: (problem: Problem) => void;
}

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** Three of the server's keep-alives: a connection so silent is dead. */
const SILENCE = 45_000;

/** Follows a stream of events, connecting anew when it breaks, until stopped. */
export function follow(path: string, listener: Listener, lastEventId?: string): () => void {
  const stop = new AbortController();
  void run();
  return () => stop.abort();

  async function run() {
    let pause = FIRST_PAUSE;
    while (!stop.signal.aborted) {
      try {
        await readOnce(() => (pause = FIRST_PAUSE));
      } catch (thrown) {
        if (stop.signal.aborted) return;
        const problem = asProblem(thrown);
        if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
          listener.onRefused?.(problem);
          return;
        }
      }
      if (stop.signal.aborted) return;
      listener.onBreak?.();
      await sleep(pause * (0.75 + Math.random() / 2), stop.signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  async function readOnce(opened: () => void) {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    stop.signal.addEventListener("abort", abort);
    let silence = setTimeout(abort, SILENCE);
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
      const response = await send("GET", path, { headers, signal: attempt.signal });
      opened();
      listener.onOpen?.();
      const parser = createParser({
        onEvent: ({ id, event = "message", data }) => {
          if (id !== undefined) lastEventId = id;
          if (!stop.signal.aborted) listener.onEvent({ id, event, data: parse(data) });
        },
      });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(abort, SILENCE);
        parser.feed(value);
      }
    } finally {
      clearTimeout(silence);
      stop.signal.removeEventListener("abort", abort);
      attempt.abort();
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
