/** The section of jobs: toolbar, list, and what is said where the list has nothing to show. */

import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Commands } from '../commands';
import { useValue } from '../observable';
import { useServices } from '../services';
import type { ISectionProps } from '../sidebar';
import { Hint } from '../ui/state';
import { inlineActions } from './actions';
import { EVERYTHING, type IFilter, isEverything } from './filter';
import { JobList } from './list';
import type { IJobsState, JobsModel } from './model';
import { JobsToolbar } from './toolbar';

/** The section for a model that outlives it. */
export function jobsSection(model: JobsModel): React.ComponentType<ISectionProps> {
  const onSelect = (id: string) => model.selected.set(id);
  const onEnd = () => void model.more();
  return function Jobs(): React.ReactElement {
    const { app, memory, settings, trans } = useServices();
    const state = useValue(model.state);
    const { columns } = useValue(settings);
    const selected = useValue(model.selected);
    const filter = (next: IFilter) => {
      memory.set('filter', { ...next });
      model.show(next);
    };
    const run = React.useCallback(
      (command: string, id: string) => void app.commands.execute(command, { id }),
      [app],
    );
    const onOpen = React.useCallback((id: string) => run(Commands.openJob, id), [run]);
    const actionsOf = React.useMemo(() => inlineActions(trans), [trans]);
    return (
      <>
        <JobsToolbar filter={state.filter} queues={state.queues} onFilter={filter} />
        {state.rows.length > 0 ? (
          <JobList
            rows={state.rows}
            total={Math.max(state.total, state.rows.length)}
            selected={selected}
            columns={columns}
            label={trans.__('Jobs')}
            actionsOf={actionsOf}
            onSelect={onSelect}
            onOpen={onOpen}
            onAction={run}
            onEnd={onEnd}
          />
        ) : (
          <Nothing state={state} onEverything={() => filter(EVERYTHING)} />
        )}
        <Foot state={state} />
      </>
    );
  };
}

function Nothing(props: { state: IJobsState; onEverything: () => void }): React.ReactElement {
  const { store, trans } = useServices();
  const isDown = useValue(store.connection).kind === 'down';
  const { phase, filter, error } = props.state;
  if (phase === 'first' || (isDown && error)) {
    return (
      <div className="nb-Empty" aria-busy={!isDown} data-empty="loading">
        {!isDown && <Hint text={trans.__('Asking for the jobs…')} />}
      </div>
    );
  }
  if (error) {
    return (
      <div className="nb-Empty" role="alert" data-empty="error">
        <p>{error.message}</p>
        <p className="nb-weak">{error.cure}</p>
      </div>
    );
  }
  if (!isEverything(filter)) {
    return (
      <div className="nb-Empty" data-empty="filtered">
        <p>{trans.__('No job is like this.')}</p>
        <Button small onClick={props.onEverything}>
          {trans.__('Show all')}
        </Button>
      </div>
    );
  }
  return (
    <div className="nb-Empty" data-empty="none">
      <p>{trans.__('No jobs yet.')}</p>
      <p className="nb-weak">{trans.__('Run a cell as one:')}</p>
      <pre className="nb-mono">{'%load_ext nbbatch\n\n%%batch\nprint("from afar")'}</pre>
    </div>
  );
}

function Foot({ state }: { state: IJobsState }): React.ReactElement {
  const { trans } = useServices();
  const { rows, total, isTotalExact, phase, hasMore } = state;
  const all = `${Math.max(total, rows.length).toLocaleString('en-US')}${isTotalExact ? '' : '+'}`;
  const count = hasMore
    ? trans.__('%1 of %2 jobs', rows.length.toLocaleString('en-US'), all)
    : jobs(all, total);
  return (
    <div className="nb-Foot" role="status" data-rows={rows.length}>
      {rows.length > 0 && count}
      {phase === 'loading' && <span className="nb-weak"> · {trans.__('asking…')}</span>}
    </div>
  );
}

const jobs = (all: string, total: number) => `${all} job${total === 1 ? '' : 's'}`;
