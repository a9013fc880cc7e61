// Asks the worker where a graph's nodes and edges go. Whoever writes a playbook
// chooses its graph; one that takes too long is given up, and the page never waits.

export interface LayoutRequest {
  nodes: { name: string; width: number; height: number }[];
  /** `width` is that of the label. */
  edges: { from: string; to: string; width: number }[];
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  /** The middles of the nodes, in the order of the request. */
  nodes: Point[];
  /** The ways of the edges and the middles of their labels. */
  edges: { points: Point[]; label: Point }[];
}

const PATIENCE = 6_000;

/** The layout, or null if it takes too long. */
export function layOut(request: LayoutRequest, signal: AbortSignal): Promise<Layout | null> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(LAYOUT_WORKER, import.meta.url), { type: "module" });
    const end = (answer: () => void) => {
      clearTimeout(timer);
      worker.terminate();
      answer();
    };
    const timer = setTimeout(() => end(() => resolve(null)), PATIENCE);
    signal.addEventListener("abort", () => end(() => reject(signal.reason)), { once: true });
    worker.onmessage = ({ data }: MessageEvent<Layout>) => end(() => resolve(data));
    worker.onerror = () => end(() => resolve(null));
    worker.postMessage(request);
  });
}
