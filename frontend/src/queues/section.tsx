/** The section of queues: depth, why nothing starts, and the vCPUs behind them. */

import * as React from 'react';
import { useServices } from '../services';
import type { IQueueRow } from '../shapes';
import type { ISectionProps } from '../sidebar';
import { useFresh } from '../ui/fresh';
import { Hint, Trouble } from '../ui/state';
import { matching, PAGE, pageOf } from './model';
import { Queue } from './queue';

export function QueuesSection({ active }: ISectionProps): React.ReactElement {
  const { trans } = useServices();
  const fresh = useFresh('GET queues', {}, active);
  const queues = fresh.answer?.queues;
  return (
    <div className="nb-Queues" aria-busy={!queues}>
      <Trouble fresh={fresh} />
      {queues && queues.length > 0 && <Pages queues={queues} />}
      {queues?.length === 0 && <Hint text={trans.__('This backend has no job queues.')} />}
    </div>
  );
}

/** The queues, by pages and with a filter where they are many. */
function Pages({ queues }: { readonly queues: readonly IQueueRow[] }): React.ReactElement {
  const { trans } = useServices();
  const [text, setText] = React.useState('');
  const [wanted, setPage] = React.useState(0);
  const found = matching(queues, text);
  const { rows, page, pages } = pageOf(found, wanted);
  return (
    <>
      {queues.length > PAGE && (
        <input
          className="nb-Queues-filter jp-mod-styled"
          type="search"
          placeholder={trans.__('Filter queues by name')}
          aria-label={trans.__('Filter queues by name')}
          value={text}
          onChange={event => setText(event.currentTarget.value)}
        />
      )}
      <ul className="nb-Queues-list" aria-label={trans.__('Job queues')}>
        {rows.map(queue => (
          <Queue key={queue.name} queue={queue} />
        ))}
      </ul>
      {found.length === 0 && <Hint text={trans.__('No queue has “%1” in its name.', text)} />}
      {pages > 1 && <Pager page={page} pages={pages} onPage={setPage} />}
    </>
  );
}

interface IPagerProps {
  readonly page: number;
  readonly pages: number;
  readonly onPage: (page: number) => void;
}

function Pager({ page, pages, onPage }: IPagerProps): React.ReactElement {
  const { trans } = useServices();
  return (
    <nav className="nb-Pager" aria-label={trans.__('Pages of queues')}>
      <button type="button" className="nb-Button" disabled={page === 0} onClick={() => onPage(page - 1)}>
        {trans.__('Back')}
      </button>
      <span className="nb-weak">{trans.__('%1 of %2', page + 1, pages)}</span>
      <button
        type="button"
        className="nb-Button"
        disabled={page + 1 === pages}
        onClick={() => onPage(page + 1)}
      >
        {trans.__('Next')}
      </button>
    </nav>
  );
}
