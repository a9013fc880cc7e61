// Where a point in time stands on the timeline.

export interface Span {
  start: number;
  end: number;
}

export interface Gap extends Span {
  /** Where it is drawn, from 0 to 1. */
  at: number;
  width: number;
}

export interface Scale {
  /** From a time in ms to a place from 0 to 1. */
  place: (time: number) => number;
  /** Times in which nothing ran, drawn shorter than they were. */
  gaps: Gap[];
  start: number;
  end: number;
}

const GAP_WIDTH = 0.06;

/**
 * A scale for these spans. Where nothing ran for much longer than all that ran,
 * as when an execution waits for its server to come back, time is left out.
 */
export function scaleOf(spans: Span[]): Scale {
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  const busy: Span[] = [];
  for (const { start, end } of sorted) {
    const last = busy.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else busy.push({ start, end });
  }
  const start = busy[0]?.start ?? 0;
  const end = busy.at(-1)?.end ?? start;
  const worked = busy.reduce((sum, span) => sum + span.end - span.start, 0);

  const idle = busy.slice(1).map((span, i) => ({ start: busy[i]!.end, end: span.start }));
  const long = idle.filter((gap) => gap.end - gap.start > Math.max(worked, 1_000));
  const gapWidth = long.length > 0 ? Math.min(GAP_WIDTH, 0.3 / long.length) : 0;
  const leftOut = long.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  const total = end - start - leftOut || 1;
  const unit = (1 - gapWidth * long.length) / total;

  const place = (time: number) => {
    let at = (time - start) * unit;
    for (const gap of long) {
      const length = gap.end - gap.start;
      const passed = Math.min(Math.max(time - gap.start, 0), length);
      at += (passed / length) * gapWidth - passed * unit;
    }
    return Math.min(Math.max(at, 0), 1);
  };
  const gaps = long.map((gap) => ({ ...gap, at: place(gap.start), width: gapWidth }));
  return { place, gaps, start, end };
}

/** Round distances from the beginning, in ms, for at most `most` marks. */
export function ticks(total: number, most: number): number[] {
  if (!(total > 0)) return [0];
  const rough = total / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough)!;
  const marks = [];
  for (let i = 0; i * step <= total; i += 1) marks.push(i * step);
  return marks;
}
