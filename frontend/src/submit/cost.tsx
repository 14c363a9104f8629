/** What the submission would cost: a range, the worst case, and where the numbers come from. */

import * as React from 'react';
import { dollars } from '../format';
import { useServices } from '../services';
import type { IEstimate } from '../shapes';

interface IProps {
  /** Null while it is not known, or something has to be set right first. */
  readonly estimate: IEstimate | null;
  readonly runs: number;
  /** Below it: what the estimate wants to know. */
  readonly children?: React.ReactNode;
}

export function EstimatedCost({ estimate, runs, children }: IProps): React.ReactElement {
  const { trans } = useServices();
  return (
    <section
      className="nb-Estimate"
      aria-live="polite"
      aria-label={trans.__('Estimated cost')}
      data-estimate=""
    >
      {runs > 1 && (
        <p>
          <strong>{trans.__('%1 runs', runs.toLocaleString())}</strong>{' '}
          <span className="nb-weak">{trans.__('as one array job')}</span>
        </p>
      )}
      {estimate ? (
        <Range estimate={estimate} isEach={runs > 1} />
      ) : (
        <p className="nb-weak">{trans.__('No estimate yet.')}</p>
      )}
      {children}
    </section>
  );
}

function Range({
  estimate,
  isEach,
}: {
  readonly estimate: IEstimate;
  readonly isEach: boolean;
}): React.ReactElement {
  const { trans } = useServices();
  const { expected, low, high, perHour, worst } = estimate.chosen;
  const place = estimate.isSpot
    ? trans.__('Spot, queue %1', estimate.queue)
    : trans.__('queue %1', estimate.queue);
  const isRange = low !== null && high !== null && low !== high;
  return (
    <>
      <p data-estimate="expected">
        {expected !== null && <strong>{trans.__('about %1', dollars(expected))}</strong>}
        {expected !== null && isRange && (
          <span className="nb-weak"> {trans.__('(%1 to %2)', dollars(low), dollars(high))}</span>
        )}
        {expected === null && perHour !== null && (
          <strong>
            {isEach
              ? trans.__('%1 an hour each', dollars(perHour))
              : trans.__('%1 an hour', dollars(perHour))}
          </strong>
        )}
        {expected === null && perHour === null && <strong>{trans.__('No price is known')}</strong>}
        <span className="nb-weak"> · {place}</span>
      </p>
      <p data-estimate="worst">
        {worst === null ? trans.__('No upper limit') : trans.__('At worst %1', dollars(worst))}
        <span className="nb-weak"> · {estimate.worstBecause}</span>
      </p>
      <p className="nb-weak" data-estimate="because">
        {estimate.because}
      </p>
    </>
  );
}
