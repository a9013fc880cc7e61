import { useLayoutEffect, useRef, useState } from "preact/hooks";

const BEYOND = 20;
/** Lists up to this length are shown whole, so that the browser finds text in them. */
const SMALL = 600;

/** Which rows of a long list of equally high rows are in view. */
export function useWindow<E extends HTMLElement>(count: number, rowHeight: number) {
  const element = useRef<E>(null);
  const [seen, setSeen] = useState({ first: 0, last: 100 });
  const small = count <= SMALL;

  useLayoutEffect(() => {
    const scroller = element.current;
    if (!scroller || small) return;
    const look = () => {
      const first = Math.max(0, Math.floor(scroller.scrollTop / rowHeight) - BEYOND);
      const last = Math.ceil((scroller.scrollTop + scroller.clientHeight) / rowHeight) + BEYOND;
      setSeen((old) => (old.first === first && old.last === last ? old : { first, last }));
    };
    look();
    const resize = new ResizeObserver(look);
    resize.observe(scroller);
    scroller.addEventListener("scroll", look, { passive: true });
    return () => {
      resize.disconnect();
      scroller.removeEventListener("scroll", look);
    };
  }, [small, rowHeight]);

  const first = small ? 0 : Math.min(seen.first, count);
  const last = small ? count : Math.min(seen.last, count);
  return { element, first, last, above: first * rowHeight, below: (count - last) * rowHeight };
}
