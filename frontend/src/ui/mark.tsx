/** The mark of a status: a small drawing in its colour. Each look has a drawing of its own. */

import * as React from 'react';
import { LOOK_NAMES, LOOK_VARIABLES, type Look } from '../shapes';

const DISC = 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13z';
const RING = 'M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 0 0 0-11.6z';

interface IDrawing {
  /** Filled with the colour. */
  readonly ground?: string;
  /** Drawn with the colour. */
  readonly line?: string;
  /** Drawn on the ground. */
  readonly glyph?: string;
}

const DRAWINGS: Record<Look, IDrawing> = {
  SUBMITTED: { line: RING },
  PENDING: { line: `${RING}M5.2 8h.01M8 8h.01M10.8 8h.01` },
  RUNNABLE: { line: `${RING}M8 4.8V8l2.2 1.6` },
  STARTING: { line: RING, ground: 'M8 1.5a6.5 6.5 0 0 1 0 13z' },
  RUNNING: { ground: DISC, glyph: 'M6.3 5v6l4.8-3z' },
  SUCCEEDED: { ground: DISC, glyph: 'M4.9 8.2l2.2 2.2l4-4.6' },
  exited: { ground: DISC, glyph: 'M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8' },
  'timed out': { ground: 'M3 1.8h10L9.6 8L13 14.2H3L6.4 8z', glyph: 'M5.8 12.4h4.4' },
  'out of memory': { ground: 'M2 3.5h12v9H2z', glyph: 'M5.2 10.4V5.8l2.8 3l2.8-3v4.6' },
  cancelled: { line: `${RING}M4 12L12 4` },
  terminated: { ground: 'M2.2 2.2h11.6v11.6H2.2z', glyph: 'M5.6 5.6h4.8v4.8H5.6z' },
  'host lost': { ground: 'M9.4 1L3 9h4.2L6.4 15L13 6.8H8.6z' },
  'dependency failed': { ground: DISC, glyph: 'M6 4.8h1.6a3.2 3.2 0 0 1 0 6.4H6z' },
  'could not start': { ground: 'M8 1.4L15 14H1z', glyph: 'M8 6v3.6M8 11.8v.1' },
};

interface IMarkProps {
  readonly look: Look;
  /** Said to people who do not see it; empty where words stand beside it. */
  readonly label?: string;
}

export const Mark = React.memo(function Mark({ look, label }: IMarkProps): React.ReactElement {
  const { ground, line, glyph } = DRAWINGS[look] ?? DRAWINGS.SUBMITTED;
  const colour = `var(${LOOK_VARIABLES[look]})`;
  const said = label ?? LOOK_NAMES[look];
  const naming = said ? { role: 'img', 'aria-label': said } : { 'aria-hidden': true };
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: it has one wherever no words stand beside it
    <svg className="nb-Mark" viewBox="0 0 16 16" data-look={look} {...naming}>
      {said && <title>{said}</title>}
      {ground && <path d={ground} fill={colour} />}
      {line && <path d={line} fill="none" stroke={colour} strokeWidth="1.5" strokeLinecap="round" />}
      {glyph && (
        <path
          d={glyph}
          fill="none"
          stroke="#fff"
          strokeWidth="1.6"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      )}
    </svg>
  );
});
