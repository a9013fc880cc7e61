import { useEffect } from "preact/hooks";
import { bytes, duration, integer, moment as timeText } from "../format";
import { brief } from "../text";
import { Icon } from "../ui/icon";
import { useWindow } from "../ui/window";
import type { Bar, Timeline } from "./model";
import { ticks, type Scale } from "./scale";

const ROW_HEIGHT = 30;
const MARKS = 5;

interface TimelineViewProps {
  timeline: Timeline;
  /** When the execution was taken up again. */
  resumed: number[];
  /** The moment that is shown, in a replay. */
  moment?: number | null;
  selected: number | null;
  onSelect: (index: number) => void;
}

export function TimelineView({ timeline, resumed, moment = null, selected, onSelect }: TimelineViewProps) {
  const { bars, scale } = timeline;
  const { element, first, last, above, below } = useWindow<HTMLDivElement>(bars.length, ROW_HEIGHT);
  const place = bars.findIndex((bar) => bar.index === selected);
  useEffect(() => {
    const scroller = element.current;
    if (!scroller || place < 0) return;
    const top = place * ROW_HEIGHT;
    const inView = top >= scroller.scrollTop && top + 2 * ROW_HEIGHT <= scroller.scrollTop + scroller.clientHeight;
    if (!inView) scroller.scrollTop = top - scroller.clientHeight / 2;
  }, [place]);
  if (bars.length === 0) return <p class="quiet">No step with a tool has run.</p>;
  return (
    <div class="timeline" ref={element}>
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="track"><Axis scale={scale} /></th>
            <th scope="col" class="n">Took</th>
            <th scope="col" class="n wide">Queued</th>
            <th scope="col" class="n wide">CPU</th>
            <th scope="col" class="n wide">Memory</th>
            <th scope="col" class="n wide">Host calls</th>
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr style={{ height: `${above}px` }} />}
          {bars.slice(first, last).map((bar) => (
            <Row key={bar.index} bar={bar} scale={scale} resumed={resumed} moment={moment}
              selected={bar.index === selected} onSelect={() => onSelect(bar.index)} />
          ))}
          {below > 0 && <tr style={{ height: `${below}px` }} />}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  bar: Bar;
  scale: Scale;
  resumed: number[];
  moment: number | null;
  selected: boolean;
  onSelect: () => void;
}

function Row({ bar, scale, resumed, moment, selected, onSelect }: RowProps) {
  const { run, state, span, began } = bar;
  const [start, work, end] = [span.start, began, span.end].map(scale.place) as [number, number, number];
  return (
    <tr class={selected ? "selected" : ""} data-status={state} onClick={onSelect}>
      <th scope="row">
        <button type="button" data-entry aria-pressed={selected} title={brief(bar.label, 500)}>
          <Icon name={state} />{brief(bar.label, 60)}<span class="sr">, {state}</span>
        </button>
      </th>
      <td class="track">
        <div class="track-inner" title={state === "idle" ? "Has not started" : `Started ${timeText(run.started_at)}`}>
          {scale.gaps.map((gap) => <span key={gap.start} class="gap" style={box(gap.at, gap.at + gap.width)} />)}
          {resumed.map((at) => <span key={at} class="resumption" style={{ left: percent(scale.place(at)) }} />)}
          {work > start && <span class="bar queued" style={box(start, work)} />}
          <span class="bar" style={box(work, end)} />
          {moment !== null && <span class="cursor" style={{ left: percent(scale.place(moment)) }} />}
        </div>
      </td>
      <td class="n">{span.end > began && state !== "idle" ? duration(span.end - began) : "–"}</td>
      <td class="n wide">{run.queued_ms === null ? "" : duration(run.queued_ms)}</td>
      <td class="n wide">{run.cpu_ms === null ? "" : duration(run.cpu_ms)}</td>
      <td class="n wide">{run.memory_bytes === null ? "" : bytes(run.memory_bytes)}</td>
      <td class="n wide">{run.host_calls === null ? "" : integer(run.host_calls)}</td>
    </tr>
  );
}

function Axis({ scale }: { scale: Scale }) {
  const total = scale.end - scale.start;
  // The last mark's text would not fit.
  const marks = scale.gaps.length > 0 ? [0] : ticks(total, MARKS).filter((mark) => mark <= total * 0.93);
  return (
    <div class="track-inner axis">
      <span class="sr">Time</span>
      {marks.map((mark) => (
        <span key={mark} class="tick" style={{ left: percent(scale.place(scale.start + mark)) }}>
          {mark === 0 ? "0" : duration(mark)}
        </span>
      ))}
      {scale.gaps.map((gap) => (
        <span key={gap.start} class="gap-label" style={{ left: percent(gap.at + gap.width / 2) }}>
          {duration(gap.end - gap.start)} left out
        </span>
      ))}
    </div>
  );
}

const percent = (place: number) => `${(place * 100).toFixed(3)}%`;
const box = (from: number, to: number) => ({ left: percent(from), width: percent(Math.max(0, to - from)) });
