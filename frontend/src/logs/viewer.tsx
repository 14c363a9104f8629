/** The viewer of a log: what it is of and what is searched for on top, then the lines. */

import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { IJobPlace } from '../detail/document';
import { useDetail } from '../detail/use_detail';
import { counted } from '../format';
import { type Observable, useValue } from '../observable';
import { useServices } from '../services';
import { ChildChooser } from '../ui/child_chooser';
import { LogLines } from './lines';
import { LogModel } from './model';

interface IViewerProps {
  readonly place: IJobPlace;
  readonly shown: Observable<boolean>;
  readonly onName: (name: string) => void;
}

export function LogViewer({ place, shown, onName }: IViewerProps): React.ReactElement {
  const { store, trans } = useServices();
  const { value: detail, error } = useDetail(store, place.id, place.backend);
  const [child, setChild] = React.useState<number | null>(null);
  const [attempt, setAttempt] = React.useState<number | undefined>();
  const [parent = place.id, own] = place.id.split(':');
  const size = detail?.job.size ?? null;
  const id = size !== null && child !== null ? `${parent}:${child}` : place.id;
  const name = detail?.job.name ?? '';
  const index = child ?? own;
  React.useEffect(() => {
    if (name) {
      onName(index === undefined || index === null ? name : `${name}[${index}]`);
    }
  }, [name, index, onName]);
  if (error && !detail) {
    return <p className="nb-Empty" role="alert">{`${error.message} ${error.cure}`}</p>;
  }
  const chooser = size !== null && <ChildChooser size={size} chosen={child} onChoose={setChild} />;
  if (!detail || (size !== null && child === null)) {
    return (
      <>
        <div className="nb-Log-bar">{chooser}</div>
        <p className="nb-Empty">{detail && trans.__('Each child has a log of its own: choose one.')}</p>
      </>
    );
  }
  const key = `${id} ${attempt ?? ''}`;
  const log = { id, backend: place.backend };
  return (
    <Log key={key} place={log} attempt={attempt} shown={shown} onAttempt={setAttempt}>
      {chooser}
    </Log>
  );
}

interface ILogProps {
  readonly place: IJobPlace;
  readonly attempt: number | undefined;
  readonly shown: Observable<boolean>;
  readonly onAttempt: (attempt: number) => void;
  readonly children: React.ReactNode;
}

function useLog({ place, attempt, shown }: ILogProps): LogModel {
  const { store } = useServices();
  const [model] = React.useState(() => new LogModel(store, place, attempt));
  React.useEffect(() => {
    void model.follow(shown);
    return () => model.dispose();
  }, [model, shown]);
  return model;
}

function Log(props: ILogProps): React.ReactElement {
  const { trans } = useServices();
  const model = useLog(props);
  const state = useValue(model.state);
  const [wanted, want] = React.useState('');
  const [following, follow] = React.useState(true);
  const [showTimes, setShowTimes] = React.useState(false);
  const [target, setTarget] = React.useState({ line: -1, times: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the lines behind the model have changed
  const found = React.useMemo(() => model.find(wanted), [model, wanted, state.version]);
  const go = (step: number) => {
    const next = stepped(found, target.line, step);
    if (next >= 0) {
      follow(false);
      setTarget({ line: next, times: target.times + 1 });
    }
  };
  return (
    <>
      <div className="nb-Log-bar" role="toolbar" aria-label={trans.__('Log')}>
        {props.children}
        <Attempts attempt={state.attempt} attempts={state.attempts} onAttempt={props.onAttempt} />
        <input
          className="jp-mod-styled"
          type="search"
          placeholder={trans.__('Find')}
          aria-label={trans.__('Find in the log')}
          value={wanted}
          onChange={event => want(event.currentTarget.value)}
          onKeyDown={event => event.key === 'Enter' && go(event.shiftKey ? -1 : 1)}
        />
        {wanted && <Found found={found} line={target.line} onStep={go} />}
        <label>
          <input type="checkbox" checked={showTimes} onChange={() => setShowTimes(!showTimes)} />
          {trans.__('Times')}
        </label>
        {state.hasEarlier && (
          <Button small onClick={() => void model.whole()} disabled={state.phase === 'loading'}>
            {trans.__('Load all')}
          </Button>
        )}
        <Button small onClick={() => void navigator.clipboard.writeText(model.text())}>
          {trans.__('Copy')}
        </Button>
        <span className="nb-Log-count" role="status">
          {state.error?.message ?? countOf(state.count, state.hasEarlier)}
        </span>
      </div>
      {state.count === 0 && state.phase === 'idle' && (
        <p className="nb-Empty">
          {state.isOver ? trans.__('It has logged nothing.') : trans.__('Nothing is logged yet.')}
        </p>
      )}
      <LogLines
        model={model}
        wanted={wanted}
        target={target}
        following={following}
        showTimes={showTimes}
        label={trans.__('Lines of the log')}
        onFollowing={follow}
      />
      {!following && !state.isOver && (
        <button type="button" className="nb-Log-end jp-mod-styled" onClick={() => follow(true)}>
          {trans.__('Follow new lines')}
        </button>
      )}
    </>
  );
}

const countOf = (count: number, more: boolean) =>
  count === 0 ? '' : `${more ? 'last ' : ''}${counted(count, 'line')}`;

/** The next find after a line, round and round; -1 where nothing was found. Pure. */
export function stepped(found: readonly number[], line: number, step: number): number {
  if (step > 0) {
    return found.find(at => at > line) ?? found[0] ?? -1;
  }
  return found.filter(at => at < line).pop() ?? found[found.length - 1] ?? -1;
}

function Found(props: {
  found: readonly number[];
  line: number;
  onStep: (step: number) => void;
}): React.ReactElement {
  const { trans } = useServices();
  const { found, line, onStep } = props;
  const at = found.indexOf(line) + 1;
  return (
    <>
      <span className="nb-weak" role="status">
        {`${at > 0 ? `${at} / ` : ''}${found.length.toLocaleString('en-US')}`}
      </span>
      <Button minimal small aria-label={trans.__('Previous find')} onClick={() => onStep(-1)}>
        ↑
      </Button>
      <Button minimal small aria-label={trans.__('Next find')} onClick={() => onStep(1)}>
        ↓
      </Button>
    </>
  );
}

function Attempts(props: {
  attempt: number;
  attempts: number;
  onAttempt: (attempt: number) => void;
}): React.ReactElement | null {
  const { trans } = useServices();
  if (props.attempts < 2) {
    return null;
  }
  const all = Array.from({ length: props.attempts }, (_, at) => at + 1);
  return (
    <label className="nb-Chooser">
      {trans.__('Attempt')}
      <select value={props.attempt} onChange={event => props.onAttempt(Number(event.currentTarget.value))}>
        {all.map(number => (
          <option key={number}>{number}</option>
        ))}
      </select>
    </label>
  );
}
