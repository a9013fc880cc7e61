import { Graph, layout } from "@dagrejs/dagre";
import type { Layout, LayoutRequest } from "./layout";

const LABEL_HEIGHT = 18;

addEventListener("message", ({ data }: MessageEvent<LayoutRequest>) => postMessage(lay(data)));

function lay({ nodes, edges }: LayoutRequest): Layout {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 28, edgesep: 16, ranksep: 24, marginx: 18, marginy: 12 });
  // By number: a name could be anything.
  const numbers = new Map(nodes.map((node, i) => [node.name, String(i)]));
  nodes.forEach(({ width, height }, i) => graph.setNode(String(i), { width, height }));
  edges.forEach(({ from, to, width }, i) => {
    const height = width > 0 ? LABEL_HEIGHT : 0;
    graph.setEdge(numbers.get(from)!, numbers.get(to)!, { width, height, labelpos: "c" }, String(i));
  });
  layout(graph);

  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    nodes: nodes.map((_, i) => {
      const { x, y } = graph.node(String(i)) as { x: number; y: number };
      return { x, y };
    }),
    edges: edges.map(({ from, to }, i) => {
      const edge = graph.edge(numbers.get(from)!, numbers.get(to)!, String(i)) as
        { points: { x: number; y: number }[]; x?: number; y?: number };
      const middle = edge.points[Math.floor(edge.points.length / 2)]!;
      return {
        points: edge.points.map(({ x, y }) => ({ x, y })),
        label: { x: edge.x ?? middle.x, y: edge.y ?? middle.y },
      };
    }),
  };
}
