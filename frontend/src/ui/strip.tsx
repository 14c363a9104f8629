/** The children of an array as one thin bar: a part for each look, as wide as it has children. */

import * as React from 'react';
import { type IPart, partsOf } from '../jobs/look';
import { type IJobRow, LOOK_NAMES, LOOK_VARIABLES } from '../shapes';

/** Percent that even a single child among ten thousand gets, so that a failure is never invisible. */
const LEAST = 1.5;

/** Where each part begins and how wide it is, in percent; together they fill the bar. Pure. */
export function widths(parts: readonly IPart[]): number[] {
  const all = parts.reduce((sum, part) => sum + part.count, 0);
  const raw = parts.map(part => Math.max((100 * part.count) / Math.max(all, 1), LEAST));
  const sum = raw.reduce((one, other) => one + other, 0);
  return raw.map(width => (100 * width) / sum);
}

/** The parts in words: `3 SUCCEEDED, 1 out of memory`. */
export function inWords(parts: readonly IPart[]): string {
  return parts.map(({ look, count }) => `${count.toLocaleString('en-US')} ${LOOK_NAMES[look]}`).join(', ');
}

export const Strip = React.memo(function Strip({ row }: { row: IJobRow }): React.ReactElement {
  const parts = partsOf(row);
  const wide = widths(parts);
  let x = 0;
  return (
    <svg
      className="nb-Strip"
      role="img"
      aria-label={inWords(parts)}
      preserveAspectRatio="none"
      viewBox="0 0 100 1"
    >
      <title>{inWords(parts)}</title>
      {parts.map(({ look }, at) => {
        const width = wide[at] ?? 0;
        x += width;
        return (
          <rect
            key={look}
            x={x - width}
            width={width}
            height={1}
            fill={`var(${LOOK_VARIABLES[look]})`}
            data-look={look}
          />
        );
      })}
    </svg>
  );
});
