/** Which rows of a long list of equal heights are on the screen: all that is drawn of it. Pure but for the hook. */

import * as React from 'react';

export interface ISpan {
  readonly first: number;
  /** Behind the last one. */
  readonly end: number;
}

/** Rows that are drawn above and below what is seen, so that a flick shows no gap. */
const MARGIN = 8;

export function spanOf(top: number, height: number, row: number, count: number): ISpan {
  const first = Math.max(0, Math.min(Math.floor(top / row), count) - MARGIN);
  return { first, end: Math.min(count, Math.ceil((top + height) / row) + MARGIN) };
}

/** Where to scroll so that a row is seen; where it stands when it is. */
export function scrolledTo(at: number, top: number, height: number, row: number): number {
  return Math.max(Math.min(top, at * row), (at + 1) * row - height);
}

/** The span of a scrolling element, anew when it scrolls or changes its size. */
export function useSpan(
  element: React.RefObject<HTMLElement | null>,
  row: number,
  count: number,
): [ISpan, () => void] {
  const [span, setSpan] = React.useState<ISpan>({ first: 0, end: Math.min(count, 40) });
  const measure = React.useCallback(() => {
    const node = element.current;
    if (node) {
      const next = spanOf(node.scrollTop, node.clientHeight, row, count);
      setSpan(had => (had.first === next.first && had.end === next.end ? had : next));
    }
  }, [element, row, count]);
  React.useLayoutEffect(() => {
    measure();
    const node = element.current;
    if (!node || typeof ResizeObserver === 'undefined') {
      return undefined;
    }
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, [element, measure]);
  return [span, measure];
}
