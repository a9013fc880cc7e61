// The present, for what shows how long something takes or is ago.

import { signal } from "@preact/signals";

/** Ticks every second, and stands still while nobody looks. */
export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1_000);
