import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { brief } from "../text";
import { Icon } from "../ui/icon";
import { layOut, type Layout, type Point } from "./layout";
import { belowWorkflow, marksOf, type Edge, type Graph, type Node } from "./model";

const NODE_HEIGHT = 42;
const MARKS_HEIGHT = 15;
const NODE_FONT = "600 13px system-ui, sans-serif";
const LABEL_FONT = "11px ui-monospace, monospace";
const NAME_LENGTH = 30;
const LABEL_LENGTH = 34;
const SCALES = [0.25, 0.35, 0.5, 0.7, 1, 1.4];

interface GraphViewProps {
  graph: Graph;
  /** Whether it shows an execution: then what was not taken stands back. */
  ran: boolean;
  selected: string | null;
  /** Steps of which something is wrong that their state does not say. */
  marked?: Set<string>;
  onSelect: (step: string) => void;
}

export function GraphView({ graph, ran, selected, marked, onSelect }: GraphViewProps) {
  const { layout, tooLarge } = useLayout(graph);
  const [scale, setScale] = useState<number | "fit">("fit");
  const box = useRef<HTMLDivElement>(null);
  const boxWidth = useWidth(box);

  if (graph.nodes.length === 0) return <p class="quiet">No step is known.</p>;
  if (tooLarge) return <p class="note">This graph is too large to be drawn. The steps are all listed elsewhere on this page.</p>;

  const fit = layout ? Math.min(1, Math.max(0.35, boxWidth / layout.width)) : 1;
  const factor = scale === "fit" ? fit : scale;
  const zoom = (by: number) => {
    const near = SCALES.findIndex((each) => each >= factor - 0.01);
    setScale(SCALES[Math.min(Math.max(near + by, 0), SCALES.length - 1)]!);
  };
  return (
    <div class="graph">
      <div class="graph-tools">
        <button type="button" onClick={() => zoom(-1)} aria-label="Smaller" title="Smaller">−</button>
        <button type="button" onClick={() => setScale("fit")} title="Fit the width">Fit</button>
        <button type="button" onClick={() => zoom(1)} aria-label="Larger" title="Larger">+</button>
      </div>
      <div class="graph-box" ref={box}>
        {layout && (
          <svg width={layout.width * factor} height={layout.height * factor}
            viewBox={`0 0 ${layout.width} ${layout.height}`} role="group" aria-label="Steps">
            <defs>
              {["way", "taken", "wrong"].map((kind) => (
                <marker key={kind} id={`arrow-${kind}`} class={`arrow ${kind}`} viewBox="0 0 8 8" refX="7" refY="4"
                  markerWidth="7" markerHeight="7" orient="auto" markerUnits="userSpaceOnUse">
                  <path d="M0 0.5L8 4L0 7.5z" />
                </marker>
              ))}
            </defs>
            {graph.edges.map((edge, i) => layout.edges[i] &&
              <EdgeView key={i} edge={edge} place={layout.edges[i]} ran={ran} />)}
            {graph.nodes.map((node, i) => layout.nodes[i] &&
              <NodeView key={node.name} node={node} at={layout.nodes[i]} ran={ran}
                selected={node.name === selected} marked={marked?.has(node.name) ?? false} onSelect={() => onSelect(node.name)} />)}
          </svg>
        )}
      </div>
    </div>
  );
}

function NodeView({ node, at, ran, selected, marked, onSelect }:
  { node: Node; at: Point; ran: boolean; selected: boolean; marked: boolean; onSelect: () => void }) {
  const width = widthOf(node);
  const height = heightOf(node);
  const marks = marksOf(node.step);
  const state = ran ? node.state : "idle";
  const said = [
    node.name, node.tool ?? "no tool", ran ? node.state : "", node.runs > 1 ? `${node.runs} times` : "", ...marks,
    marked ? "came out differently" : "",
  ];
  const kind = ["node", selected && "selected", !node.tool && "plain", node.step?.finally && "last", marked && "marked"];
  return (
    <g class={kind.filter(Boolean).join(" ")} data-status={ran ? state : "known"}
      transform={`translate(${at.x - width / 2} ${at.y - height / 2})`}
      role="button" tabindex={0} aria-pressed={selected} aria-label={brief(said.filter(Boolean).join(", "), 200)}
      onClick={onSelect}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        onSelect();
      }}>
      <rect width={width} height={height} rx={node.tool ? 8 : height / 2} />
      {node.step?.calls && <rect class="inner" x="4" y="0" width={width - 8} height={height} />}
      {ran && <Icon name={state} x={11} y={NODE_HEIGHT / 2 - 8} />}
      <text class="name" x={ran ? 35 : 14} y={node.tool ? 18 : 25}>{brief(node.name, NAME_LENGTH)}</text>
      {node.runs > 1 && (
        <g class="runs" transform={`translate(${width} 0)`}>
          <rect x="-14" y="-9" width="28" height="18" rx="9" />
          <text text-anchor="middle" y="4">×{Math.min(node.runs, 999)}</text>
        </g>
      )}
      {node.tool && <text class="tool" x={ran ? 35 : 14} y="33">{toolOf(node)}</text>}
      {marks.length > 0 && <text class="marks" x={ran ? 35 : 14} y={node.tool ? 48 : 41}>{markText(node)}</text>}
    </g>
  );
}

function toolOf(node: Node): string {
  const what = node.step?.calls?.path ?? node.step?.task;
  return brief(`${node.tool}${what && what !== node.name ? ` · ${what}` : ""}`, NAME_LENGTH);
}

const markText = (node: Node) => brief(marksOf(node.step).join(" · "), LABEL_LENGTH);

function EdgeView({ edge, place, ran }: { edge: Edge; place: Layout["edges"][number]; ran: boolean }) {
  const label = labelOf(edge);
  const taken = ran && edge.taken;
  const width = labelWidth(edge);
  const kind = ["edge", taken ? "taken" : ran && "left", edge.error && "error"];
  return (
    <g class={kind.filter(Boolean).join(" ")}>
      <path d={curve(place.points)} marker-end={`url(#arrow-${taken ? (edge.error ? "wrong" : "taken") : "way"})`} />
      {label && (
        <g transform={`translate(${place.label.x} ${place.label.y})`}>
          <title>{brief(edge.when ?? label, 1_000)}</title>
          <rect x={-width / 2} y="-9" width={width} height="18" rx="9" />
          <text text-anchor="middle" y="4">{label}</text>
        </g>
      )}
    </g>
  );
}

/** A line through the middles of the given points' distances, round at the points. */
function curve(points: Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  const last = rest.pop() ?? first;
  let path = `M${first.x} ${first.y}`;
  rest.forEach((point, i) => {
    const next = rest[i + 1];
    const end = next ? { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 } : last;
    path += `Q${point.x} ${point.y} ${end.x} ${end.y}`;
  });
  return rest.length > 0 ? path : `${path}L${last.x} ${last.y}`;
}

function labelOf(edge: Edge): string {
  const when = edge.kind === "default" ? "otherwise" : (edge.when ?? "").replace(/^\s*\{\{\s*|\s*\}\}\s*$/g, "");
  return brief([edge.error ? "on error" : "", when].filter(Boolean).join(": "), LABEL_LENGTH);
}

const labelWidth = (edge: Edge) => {
  const label = labelOf(edge);
  return label ? textWidth(label, LABEL_FONT) + 18 : 0;
};

const widthOf = (node: Node) =>
  Math.max(84, 50 + Math.max(
    textWidth(brief(node.name, NAME_LENGTH), NODE_FONT),
    textWidth(node.tool ? toolOf(node) : "", LABEL_FONT),
    textWidth(markText(node), LABEL_FONT)));

const heightOf = (node: Node) => NODE_HEIGHT + (marksOf(node.step).length > 0 ? MARKS_HEIGHT : 0);

let canvas: CanvasRenderingContext2D | null = null;

function textWidth(text: string, font: string): number {
  canvas ??= document.createElement("canvas").getContext("2d");
  if (!canvas) return text.length * 8;
  canvas.font = font;
  return Math.ceil(canvas.measureText(text).width);
}

/** Lays out again only if the shape changes, not while an execution goes on. */
function useLayout(graph: Graph): { layout: Layout | null; tooLarge: boolean } {
  const [state, setState] = useState<{ layout: Layout | null; tooLarge: boolean }>({ layout: null, tooLarge: false });
  const request = useMemo(() => ({
    nodes: graph.nodes.map((node) => ({ name: node.name, width: widthOf(node), height: heightOf(node) })),
    edges: [
      ...graph.edges.map((edge) => ({ from: edge.from, to: edge.to, width: labelWidth(edge) })),
      ...belowWorkflow(graph).map((edge) => ({ ...edge, width: 0 })),
    ],
  }), [graph]);
  useEffect(() => {
    const abort = new AbortController();
    layOut(request, abort.signal).then(
      (layout) => setState({ layout, tooLarge: layout === null }),
      () => {}, // The page shows another graph by now.
    );
    return () => abort.abort();
  }, [JSON.stringify(request)]);
  return state;
}

function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600);
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [box.current]);
  return width;
}
