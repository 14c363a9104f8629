/** What is searched for and filtered by, above the list. */

import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import { useServices } from '../services';
import { LOOK_NAMES, OUTCOMES } from '../shapes';
import type { IFilter } from './filter';
import { lookOf } from './look';

interface IToolbarProps {
  readonly filter: IFilter;
  readonly queues: readonly string[];
  readonly onFilter: (filter: IFilter) => void;
}

/** Milliseconds after the last letter before the server is asked. */
const TYPING = 200;
const FAILURES = OUTCOMES.filter(outcome => outcome !== 'succeeded' && outcome !== 'children failed');

export function JobsToolbar({ filter, queues, onFilter }: IToolbarProps): React.ReactElement {
  const { trans } = useServices();
  const shown = filter.queue && !queues.includes(filter.queue) ? [filter.queue, ...queues] : queues;
  return (
    <div className="nb-Toolbar" role="search" aria-label={trans.__('Filter jobs')}>
      <Search value={filter.text} onChange={text => onFilter({ ...filter, text })} />
      <HTMLSelect
        className="nb-Toolbar-select"
        aria-label={trans.__('State')}
        data-filter="status"
        value={filter.status}
        onChange={event => onFilter({ ...filter, status: event.currentTarget.value })}
      >
        <option value="">{trans.__('All states')}</option>
        <option value="active">{trans.__('Not ended')}</option>
        <option value="RUNNING">{trans.__('Running')}</option>
        <option value="RUNNABLE">{trans.__('Waiting for a host')}</option>
        <option value="SUCCEEDED">{trans.__('Succeeded')}</option>
        <option value="FAILED">{trans.__('Failed')}</option>
        <optgroup label={trans.__('Failed because')}>
          {FAILURES.map(outcome => (
            <option key={outcome} value={outcome}>
              {outcome === 'exited' ? trans.__('exit code') : LOOK_NAMES[lookOf('FAILED', outcome)]}
            </option>
          ))}
        </optgroup>
      </HTMLSelect>
      <HTMLSelect
        className="nb-Toolbar-select"
        aria-label={trans.__('Queue')}
        data-filter="queue"
        value={filter.queue}
        onChange={event => onFilter({ ...filter, queue: event.currentTarget.value })}
      >
        <option value="">{trans.__('All queues')}</option>
        {shown.map(queue => (
          <option key={queue}>{queue}</option>
        ))}
      </HTMLSelect>
    </div>
  );
}

function Search(props: { value: string; onChange: (text: string) => void }): React.ReactElement {
  const { trans } = useServices();
  const [text, setText] = React.useState(props.value);
  const { value, onChange } = props;
  const latest = React.useRef(onChange);
  latest.current = onChange;
  React.useEffect(() => setText(value), [value]);
  React.useEffect(() => {
    if (text === value) {
      return undefined;
    }
    const timer = setTimeout(() => latest.current(text), TYPING);
    return () => clearTimeout(timer);
  }, [text, value]);
  return (
    <input
      className="jp-mod-styled nb-Toolbar-search"
      type="search"
      placeholder={trans.__('Search name, id, notebook')}
      aria-label={trans.__('Search jobs')}
      value={text}
      onChange={event => setText(event.currentTarget.value)}
      onKeyDown={event => event.key === 'Escape' && setText('')}
    />
  );
}
