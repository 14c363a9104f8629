/** The last days as bars, drawn in SVG; each bar tells its day and sum. */

import * as React from 'react';
import { dollars } from '../format';
import { useServices } from '../services';
import { type IDay, sumOf } from './model';

const HEIGHT = 48;
const WIDTH = 20;
const BAR = 12;
const FOOT = 14;
const LEAST = 1;

export function Chart({ days }: { readonly days: readonly IDay[] }): React.ReactElement | null {
  const { trans } = useServices();
  const sum = sumOf(days);
  if (sum === 0) {
    return null;
  }
  const said = trans.__('%1 in %2 days', dollars(sum), days.length);
  return (
    <figure className="nb-Chart" data-cost="days">
      <svg
        viewBox={`0 0 ${WIDTH * days.length} ${HEIGHT + FOOT}`}
        role="img"
        aria-label={`${said}: ${days.map(({ day, charged }) => `${day} ${dollars(charged)}`).join(', ')}`}
      >
        <title>{said}</title>
        {days.map((day, index) => (
          <Bar key={day.day} day={day} left={index * WIDTH} />
        ))}
      </svg>
      <figcaption className="nb-weak">{said}</figcaption>
    </figure>
  );
}

function Bar({ day, left }: { readonly day: IDay; readonly left: number }): React.ReactElement {
  const height = Math.max(LEAST, day.share * HEIGHT);
  const weekday = new Date(`${day.day}T00:00:00Z`).toLocaleDateString(undefined, {
    weekday: 'narrow',
    timeZone: 'UTC',
  });
  return (
    <g data-day={day.day} data-today={day.isToday ? '' : undefined}>
      <title>{`${day.day}: ${dollars(day.charged)}`}</title>
      <rect className="nb-Chart-ground" x={left} y={0} width={WIDTH} height={HEIGHT} />
      <rect
        className="nb-Chart-bar"
        x={left + (WIDTH - BAR) / 2}
        y={HEIGHT - height}
        width={BAR}
        height={height}
        rx={LEAST}
      />
      <text x={left + WIDTH / 2} y={HEIGHT + FOOT - 3} textAnchor="middle">
        {weekday}
      </text>
    </g>
  );
}
