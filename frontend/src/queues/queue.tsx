/** One queue: its name, which shows its jobs, bars of jobs and vCPUs, and its compute environments. */

import * as React from 'react';
import { Commands } from '../commands';
import { useServices } from '../services';
import { type IEnvironment, type IQueueRow, LOOK_NAMES, LOOK_VARIABLES, type Look } from '../shapes';
import { Mark } from '../ui/mark';
import { capacityInWords, capacityOf, depthInWords, hostsInWords, isOn, partsOf, segmentsOf } from './model';

export function Queue({ queue }: { readonly queue: IQueueRow }): React.ReactElement {
  const { trans } = useServices();
  return (
    <li className="nb-Queue" data-queue={queue.name} data-state={queue.state}>
      <Head queue={queue} />
      <Depth queue={queue} />
      {queue.blocked && (
        <p className="nb-Queue-blocked" data-blocked="">
          <Mark look="RUNNABLE" label="" />
          <span>
            <strong>{trans.__('Waits:')}</strong> {queue.blocked}
          </span>
        </p>
      )}
      {queue.reason && !isOn(queue) && <p className="nb-weak">{queue.reason}</p>}
      <Capacity of={queue} />
      <Environments environments={queue.environments} />
    </li>
  );
}

function Head({ queue }: { readonly queue: IQueueRow }): React.ReactElement {
  const { app, trans } = useServices();
  return (
    <div className="nb-Queue-head">
      <button
        type="button"
        className="nb-Link nb-Queue-name"
        title={trans.__('Show the jobs of %1', queue.name)}
        onClick={() => void app.commands.execute(Commands.showJobs, { queue: queue.name })}
      >
        {queue.name}
      </button>
      {!isOn(queue) && (
        <span className="nb-Tag nb-mod-warn" title={trans.__('It takes no new jobs')}>
          {queue.state}
        </span>
      )}
      <span className="nb-weak nb-Queue-depth">{depthInWords(queue, trans)}</span>
    </div>
  );
}

/** Jobs by state, as parts of one bar; in words for those who do not see it. */
function Depth({ queue }: { readonly queue: IQueueRow }): React.ReactElement | null {
  const parts = partsOf(queue);
  if (parts.length === 0) {
    return null;
  }
  const words = parts.map(part => `${part.count.toLocaleString()} ${part.status}`).join(', ');
  return (
    <div className="nb-Bar" role="img" aria-label={words} title={words}>
      {parts.map(({ status, share }) => (
        <span
          key={status}
          data-status={status}
          style={{ width: `${share * 100}%`, background: `var(${LOOK_VARIABLES[status as Look]})` }}
          title={LOOK_NAMES[status as Look]}
        />
      ))}
    </div>
  );
}

/** vCPUs used, provisioned and allowed, as a bar and in words. */
function Capacity({ of }: { readonly of: IQueueRow | IEnvironment }): React.ReactElement | null {
  const { trans } = useServices();
  const words = capacityInWords(of, trans);
  const capacity = capacityOf(of);
  if (!words) {
    return null;
  }
  return (
    <div className="nb-Capacity">
      {capacity && (
        <div className="nb-Bar nb-mod-thin" role="img" aria-label={words} title={words}>
          {segmentsOf(capacity).map(({ kind, share }) => (
            <span key={kind} data-part={kind} style={{ width: `${share * 100}%` }} />
          ))}
        </div>
      )}
      <span className="nb-weak">{words}</span>
    </div>
  );
}

function Environments({
  environments,
}: {
  readonly environments: IEnvironment[];
}): React.ReactElement | null {
  const { trans } = useServices();
  if (environments.length === 0) {
    return null;
  }
  return (
    <details className="nb-Queue-more">
      <summary>{trans._n('%1 compute environment', '%1 compute environments', environments.length)}</summary>
      <ul>
        {environments.map(environment => (
          <li key={environment.name} data-environment={environment.name}>
            <div className="nb-Queue-head">
              <span className="nb-Queue-environment" title={environment.name}>
                {environment.name}
              </span>
              <span className="nb-Tag">{environment.type}</span>
              {environment.state !== 'ENABLED' && (
                <span className="nb-Tag nb-mod-warn">{environment.state}</span>
              )}
              <span className="nb-weak nb-Queue-depth">{hostsInWords(environment, trans)}</span>
            </div>
            <Capacity of={environment} />
            {environment.reason && <p className="nb-weak">{environment.reason}</p>}
          </li>
        ))}
      </ul>
    </details>
  );
}
