/** What a job has left: its rich outputs by JupyterLab's own renderers, its error, a notebook's cells. */

import type { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { duration } from '../format';
import { type Observable, useValue } from '../observable';
import { useServices } from '../services';
import type { ICell, IItemEnd, IOutputs } from '../shapes';
import type { IJobPlace } from './document';
import { Pairs, Part } from './parts';
import { useJobNews } from './use_detail';

interface IOutputsProps {
  readonly place: IJobPlace;
  readonly revealed: Observable<number>;
  readonly hasEnded: boolean;
}

export function OutputsPart({ place, revealed, hasEnded }: IOutputsProps): React.ReactElement {
  const { store, trans } = useServices();
  const part = React.useRef<HTMLDivElement>(null);
  const times = useValue(revealed);
  const [item, choose] = React.useState<number | undefined>(undefined);
  const [parent = place.id] = place.id.split(':');
  const shown = `${place.id} ${item ?? ''}`;
  const ids = hasEnded ? [`${shown} ended`] : [shown, place.id, parent]; // what has ended leaves nothing new
  const { value: left, error } = useJobNews(store, ids, signal =>
    store.ask('GET jobs/{id}/outputs', { id: place.id, query: { backend: place.backend, item }, signal }),
  );
  const latest = React.useRef(left);
  latest.current = left ?? latest.current; // while another item is asked for, its choice stays where it is
  const isThere = left !== null;
  React.useEffect(() => {
    if (times > 0 && isThere) {
      part.current?.scrollIntoView({ block: 'start' });
    }
  }, [times, isThere]);
  return (
    <div ref={part}>
      <Part title={trans.__('Outputs')} name="outputs">
        {error && <p className="nb-Error">{error.message}</p>}
        {latest.current && <Items left={latest.current} onChoose={choose} />}
        {left && <Left left={left} />}
      </Part>
    </div>
  );
}

/** What became of the items of a child that ran several; of a notebook's runs one is shown at a time. */
function Items({ left, onChoose }: { left: IOutputs; onChoose: (item: number) => void }) {
  const { trans } = useServices();
  if (left.items.length === 0) {
    return null;
  }
  const words = ({ position, state, error, seconds }: IItemEnd) =>
    [`${position}`, error || trans.__(state), seconds === null ? '' : duration(seconds * 1_000)]
      .filter(part => part !== '')
      .join(' · ');
  if (left.item !== null) {
    return (
      <label className="nb-Items">
        {trans.__('Item')}{' '}
        <select
          className="jp-mod-styled"
          value={left.item}
          onChange={event => onChoose(Number(event.currentTarget.value))}
        >
          {left.items.map(each => (
            <option key={each.position} value={each.position}>
              {words(each)}
            </option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <ul className="nb-Items" aria-label={trans.__('Items')}>
      {left.items.map(each => (
        <li key={each.position} data-item={each.position} data-state={each.state}>
          {words(each)}
        </li>
      ))}
    </ul>
  );
}

function Left({ left }: { left: IOutputs }): React.ReactElement {
  const { trans } = useServices();
  const isEmpty = left.outputs.length === 0 && !left.error && left.cells.length === 0;
  return (
    <>
      {isEmpty && <p className="nb-weak">{trans.__('It has left no outputs.')}</p>}
      <Rendered outputs={shownOutputs(left)} />
      {left.isCut && <p className="nb-weak">{trans.__('Large outputs are left out here.')}</p>}
      <Pairs pairs={Object.entries(left.values)} />
      {left.cells.length > 0 && <Cells cells={left.cells} />}
    </>
  );
}

/** The outputs, with the traceback behind them where it is not among them. Pure. */
export function shownOutputs({ outputs, error }: Pick<IOutputs, 'outputs' | 'error'>): IOutput[] {
  const all = outputs as unknown as IOutput[];
  if (!error || all.some(output => output.output_type === 'error')) {
    return all;
  }
  const { type, message, traceback } = error;
  return [...all, { output_type: 'error', ename: type, evalue: message, traceback: traceback.split('\n') }];
}

/** Outputs as in a notebook that is not trusted. */
function Rendered({ outputs }: { outputs: IOutput[] }): React.ReactElement {
  const { rendermime } = useServices();
  const host = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (!host.current) {
      return undefined;
    }
    const model = new OutputAreaModel({ values: outputs, trusted: false });
    const area = new SimplifiedOutputArea({ model, rendermime });
    Widget.attach(area, host.current);
    return () => {
      MessageLoop.sendMessage(area, Widget.Msg.BeforeDetach);
      area.dispose();
      model.dispose();
    };
  }, [outputs, rendermime]);
  return <div className="nb-Outputs" ref={host} />;
}

function Cells({ cells }: { cells: readonly ICell[] }): React.ReactElement {
  return (
    <ol className="nb-Cells">
      {cells.map(({ index, kind, source, status, count, seconds, error }) => (
        <li key={index} data-cell={index} data-status={status}>
          <span className="nb-Cells-count">{kind === 'code' ? `[${count ?? ' '}]` : ''}</span>
          <code>{source.split('\n')[0]}</code>
          <span className="nb-weak">
            {error || (kind === 'code' ? status : '')}
            {seconds === null ? '' : ` ${duration(seconds * 1_000)}`}
          </span>
        </li>
      ))}
    </ol>
  );
}
