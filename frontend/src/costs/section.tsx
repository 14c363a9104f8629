/** The section of costs: today in figures, the week as bars, and what the money went to. */

import * as React from 'react';
import { dollars } from '../format';
import { useServices } from '../services';
import type { ICosts } from '../shapes';
import type { ISectionProps } from '../sidebar';
import { useFresh } from '../ui/fresh';
import { Hint, Trouble } from '../ui/state';
import { Budget } from './budget';
import { Chart } from './chart';
import { byName, byQueue, DAYS, daysOf, type IShare, savedShare } from './model';

type Span = 1 | typeof DAYS;

export function CostsSection({ active }: ISectionProps): React.ReactElement {
  const { trans } = useServices();
  const fresh = useFresh('GET costs', { days: DAYS }, active);
  const costs = fresh.answer;
  return (
    <div className="nb-Costs" aria-busy={!costs}>
      <Trouble fresh={fresh} />
      {costs && (
        <>
          <Today costs={costs} />
          <Budget costs={costs} />
          <Chart days={daysOf(costs)} />
          <Shares costs={costs} active={active} />
          <p className="nb-weak nb-Costs-note">
            {trans.__('Days are UTC. Prices are those at which each attempt was placed.')}
          </p>
        </>
      )}
    </div>
  );
}

/** Today's figures; those that are nothing are left out. */
function Today({ costs }: { readonly costs: ICosts }): React.ReactElement {
  const { trans } = useServices();
  const saved = savedShare(costs);
  const rows: [string, string, number, string][] = [
    ['on-demand', trans.__('at On-Demand prices'), costs.onDemand, ''],
    [
      'saved',
      trans.__('saved by Spot'),
      costs.saved,
      saved === null ? '' : trans.__('%1 %', Math.round(saved * 100)),
    ],
    ['lost', trans.__('lost to Spot'), costs.lost, trans.__('work that was taken back')],
    ['idle', trans.__('idle hosts, apart'), costs.idle, ''],
  ];
  return (
    <div className="nb-Today" data-cost="today">
      <p className="nb-Today-sum">
        <strong>{dollars(costs.charged)}</strong> <span className="nb-weak">{trans.__('today')}</span>
      </p>
      <dl>
        {rows
          .filter(([, , amount]) => amount > 0)
          .map(([key, name, amount, note]) => (
            <div key={key} data-cost={key}>
              <dt>{name}</dt>
              <dd title={note}>
                {dollars(amount)}
                {key === 'saved' && note && <span className="nb-weak"> {note}</span>}
              </dd>
            </div>
          ))}
      </dl>
    </div>
  );
}

/** What the money went to: queues and names, of today or of the week. */
function Shares({ costs, active }: { readonly costs: ICosts; readonly active: boolean }): React.ReactElement {
  const { trans } = useServices();
  const [span, setSpan] = React.useState<Span>(1);
  const named = useFresh('GET costs', { days: span }, active).answer;
  const noteOf = ({ isNamedExact, namedJobs }: ICosts) =>
    isNamedExact
      ? trans.__('At On-Demand prices.')
      : trans.__('At On-Demand prices, of the newest %1 jobs.', namedJobs.toLocaleString());
  const queues = byQueue(costs, span);
  if (byQueue(costs, DAYS).length === 0) {
    return <Hint text={trans.__('Nothing ran in the last days, so nothing cost anything.')} />;
  }
  return (
    <>
      <fieldset className="nb-Choice">
        <legend className="nb-hidden">{trans.__('Days that are shown')}</legend>
        {([1, DAYS] as const).map(days => (
          <button
            key={days}
            type="button"
            className="nb-Button"
            aria-pressed={span === days}
            onClick={() => setSpan(days)}
          >
            {days === 1 ? trans.__('Today') : trans.__('%1 days', days)}
          </button>
        ))}
      </fieldset>
      {queues.length === 0 && <Hint text={trans.__('Nothing ran today.')} />}
      <Ranking title={trans.__('By queue')} id="queue" shares={queues} />
      {named && <Ranking title={trans.__('By name')} id="name" shares={byName(named)} note={noteOf(named)} />}
    </>
  );
}

interface IRankingProps {
  readonly title: string;
  readonly id: string;
  readonly shares: readonly IShare[];
  /** What has to be known to read them. */
  readonly note?: string;
}

const MOST = 10;

function Ranking({ title, id, shares, note }: IRankingProps): React.ReactElement | null {
  const { trans } = useServices();
  if (shares.length === 0) {
    return null;
  }
  return (
    <section className="nb-Ranking" data-by={id}>
      <h3>{title}</h3>
      <ul>
        {shares.slice(0, MOST).map(({ name, charged, jobs, share }) => (
          <li key={name} title={trans._n('%1 job', '%1 jobs', jobs)}>
            <span className="nb-Ranking-name">{name}</span>
            <span className="nb-Ranking-sum">{dollars(charged)}</span>
            <span className="nb-Ranking-bar" aria-hidden="true" style={{ width: `${share * 100}%` }} />
          </li>
        ))}
      </ul>
      {shares.length > MOST && <p className="nb-weak">{trans.__('and %1 more', shares.length - MOST)}</p>}
      {note && <p className="nb-weak">{note}</p>}
    </section>
  );
}
