/** What a job asked for, what it used of it, and what that cost. */

import * as React from 'react';
import { dollars, duration, memory, vcpus } from '../format';
import { useServices } from '../services';
import type { ICost, IJobDetail, IUsage } from '../shapes';
import { Part } from './parts';

export function UsagePart({ detail }: { detail: IJobDetail }): React.ReactElement | null {
  const { trans } = useServices();
  const { usage, cost } = detail;
  if (!usage && !cost) {
    return null;
  }
  return (
    <Part title={trans.__('Use and cost')} name="usage">
      <div className="nb-Usage">
        {usage && <Used usage={usage} />}
        {cost && <Paid cost={cost} />}
      </div>
    </Part>
  );
}

function Used({ usage }: { usage: IUsage }): React.ReactElement {
  const { trans } = useServices();
  const { vcpus: wanted, busyVcpus, memory: asked, peakMemory, gpus, seconds } = usage;
  return (
    <>
      <Share name={trans.__('vCPUs busy')} used={busyVcpus} of={wanted} say={vcpus} />
      <Share name={trans.__('Memory at most')} used={peakMemory} of={asked} say={memory} />
      {gpus > 0 && <Figure name={trans.__('GPUs')} value={String(gpus)} />}
      {seconds > 0 && <Figure name={trans.__('Ran for')} value={duration(seconds * 1_000)} />}
    </>
  );
}

function Paid({ cost }: { cost: ICost }): React.ReactElement {
  const { trans } = useServices();
  const spot = cost.spot > 0 ? trans.__('%1 on Spot', dollars(cost.spot)) : '';
  const more = [spot, cost.instanceType].filter(Boolean).join(' · ');
  return <Figure name={trans.__('Cost, On-Demand')} value={dollars(cost.onDemand)} more={more} />;
}

function Figure(props: { name: string; value: string; more?: string }): React.ReactElement {
  return (
    <div className="nb-Figure">
      <span className="nb-Figure-name">{props.name}</span>
      <span className="nb-Figure-value">{props.value}</span>
      <span className="nb-Figure-more">{props.more}</span>
    </div>
  );
}

interface IShareProps {
  readonly name: string;
  readonly used: number | null;
  readonly of: number;
  readonly say: (number: number) => string;
}

function Share({ name, used, of, say }: IShareProps): React.ReactElement {
  const { trans } = useServices();
  return (
    <div className="nb-Figure">
      <span className="nb-Figure-name">{name}</span>
      <span className="nb-Figure-value">{used === null ? say(of) : say(used)}</span>
      <span className="nb-Figure-more">
        {used === null ? trans.__('asked for') : trans.__('of %1 asked for', say(of))}
      </span>
      {used !== null && <meter min={0} max={of} value={Math.min(used, of)} aria-label={name} />}
    </div>
  );
}
