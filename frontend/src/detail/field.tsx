/** All children of an array on a canvas, a cell each; a click chooses one. */

import * as React from 'react';
import { lookOf } from '../jobs/look';
import { COLOURS, type IChildren, LOOK_NAMES, type Look } from '../shapes';
import { childAt, fieldOf, type IField } from './cells';

interface IFieldProps {
  readonly children_: IChildren;
  readonly chosen: number | null;
  readonly label: string;
  readonly onChoose: (index: number) => void;
}

export function ChildrenField({ children_, chosen, label, onChoose }: IFieldProps): React.ReactElement {
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const width = useWidth(canvas);
  const looks = React.useMemo(() => looksOf(children_), [children_]);
  const field = fieldOf(looks.length, width);
  React.useLayoutEffect(() => {
    draw(canvas.current, field, looks, chosen);
  });
  const at = (event: React.MouseEvent) =>
    childAt(field, looks.length, event.nativeEvent.offsetX, event.nativeEvent.offsetY);
  const onMove = (event: React.MouseEvent<HTMLCanvasElement>) => {
    const child = at(event);
    event.currentTarget.title = looks[child] ? `${child}: ${LOOK_NAMES[looks[child]]}` : '';
  };
  return (
    <canvas
      className="nb-Children"
      role="img"
      aria-label={label}
      ref={canvas}
      style={{ height: field.rows * field.cell }}
      onMouseMove={onMove}
      onClick={event => {
        const child = at(event);
        if (child >= 0) {
          onChoose(child);
        }
      }}
    />
  );
}

/** What each child looks like: its status, and how it failed where that is known. Pure. */
export function looksOf({ statuses, order, failures }: IChildren): Look[] {
  const looks = Array.from(statuses, digit => lookOf(order[Number(digit)] ?? 'SUBMITTED', null));
  for (const { outcome, indexes } of failures) {
    for (const index of indexes) {
      looks[index] = lookOf('FAILED', outcome);
    }
  }
  return looks;
}

function draw(
  canvas: HTMLCanvasElement | null,
  field: IField,
  looks: readonly Look[],
  chosen: number | null,
): void {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) {
    return;
  }
  const { cell, columns, rows } = field;
  const zoom = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * zoom;
  canvas.height = rows * cell * zoom;
  context.scale(zoom, zoom);
  const gap = cell > 5 ? 1 : 0.5;
  looks.forEach((look, child) => {
    context.fillStyle = COLOURS[look];
    context.fillRect((child % columns) * cell, Math.floor(child / columns) * cell, cell - gap, cell - gap);
  });
  if (chosen !== null && chosen < looks.length) {
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(canvas).color;
    context.strokeRect(
      (chosen % columns) * cell,
      Math.floor(chosen / columns) * cell,
      cell - gap,
      cell - gap,
    );
  }
}

function useWidth(element: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = React.useState(600);
  React.useLayoutEffect(() => {
    const node = element.current;
    if (!node || typeof ResizeObserver === 'undefined') {
      return undefined;
    }
    const observer = new ResizeObserver(() => setWidth(node.clientWidth || 600));
    observer.observe(node);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
