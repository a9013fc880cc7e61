// Drawn on a field of 16 by 16.
const PATHS = {
  running: "M8 1.5a6.5 6.5 0 1 1-6.5 6.5",
  success: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M5 8.2l2.1 2.1L11 6.2",
  failed: "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4",
  interrupted: "M8 1.8L14.8 14H1.2zM8 6.2v3.6M8 11.6v.2",
  cancelled: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M3.5 12.5l9-9",
  passed: "M8 4.5a3.5 3.5 0 1 1 0 7a3.5 3.5 0 0 1 0-7",
  idle: "M4.5 8h7",
  light: "M8 5a3 3 0 1 1 0 6a3 3 0 0 1 0-6M8 1v1.5M8 13.5v1.5M1 8h1.5M13.5 8h1.5M3 3l1.1 1.1M11.9 11.9l1.1 1.1M13 3l-1.1 1.1M4.1 11.9l-1.1 1.1",
  dark: "M13.5 9.5a6 6 0 1 1-7-7a5 5 0 0 0 7 7",
  system: "M2 3h12v8H2zM5.5 14h5M8 11v3",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  lock: "M3.5 7.5h9v6h-9zM5.5 7.5v-2.5a2.5 2.5 0 0 1 5 0v2.5",
  more: "M4 6l4 4l4-4",
  live: "M8 6.5a1.5 1.5 0 1 1 0 3a1.5 1.5 0 0 1 0-3M4.5 11.5a5 5 0 0 1 0-7M11.5 4.5a5 5 0 0 1 0 7",
  first: "M3.5 3v10M12.5 3L6 8l6.5 5z",
  back: "M10.5 3L5 8l5.5 5",
  play: "M4.5 2.5v11L13 8z",
  pause: "M5.5 3v10M10.5 3v10",
  forward: "M5.5 3L11 8l-5.5 5",
  last: "M12.5 3v10M3.5 3L10 8l-6.5 5z",
  check: "M3 8.5l3.2 3.2L13 5",
} as const;

export type IconName = keyof typeof PATHS;

/** A small picture that says the same as the text beside it. */
export function Icon({ name, x, y }: { name: IconName; x?: number; y?: number }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 16 16" x={x} y={y} width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
