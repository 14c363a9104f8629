/** The children of an array: all of them at a glance, failures by their reason, and one of them close up. */

import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Commands } from '../commands';
import { counted, duration } from '../format';
import { lookOf, partsOf } from '../jobs/look';
import { useServices } from '../services';
import { type IChildren, type IFailureGroup, type IJobDetail, LOOK_NAMES } from '../shapes';
import { ChildChooser } from '../ui/child_chooser';
import { Mark } from '../ui/mark';
import { inWords } from '../ui/strip';
import type { IJobPlace } from './document';
import { ChildrenField } from './field';
import { Part } from './parts';
import { useJobNews } from './use_detail';

interface IArrayProps {
  readonly detail: IJobDetail;
  readonly place: IJobPlace;
}

export function ArrayPart({ detail, place }: IArrayProps): React.ReactElement {
  const { store, trans } = useServices();
  const [chosen, choose] = React.useState<number | null>(null);
  const { value: children, error } = useJobNews(store, [place.id], signal =>
    store.ask('GET jobs/{id}/children', { id: place.id, query: { backend: place.backend }, signal }),
  );
  return (
    <Part title={`${trans.__('Children')} (${detail.job.size?.toLocaleString('en-US')})`} name="children">
      <Legend detail={detail} />
      {error && <p className="nb-Error">{error.message}</p>}
      {children && (
        <>
          <ChildrenField
            children_={children}
            chosen={chosen}
            label={inWords(partsOf(detail.job))}
            onChoose={choose}
          />
          <Failures groups={children.failures} onChoose={choose} />
          <div className="nb-Buttons">
            <ChildChooser size={children.size} chosen={chosen} onChoose={choose} />
            {chosen !== null && <OneChild children_={children} index={chosen} place={place} />}
          </div>
        </>
      )}
    </Part>
  );
}

function Legend({ detail }: { detail: IJobDetail }): React.ReactElement {
  return (
    <ul className="nb-Legend">
      {partsOf(detail.job).map(({ look, count }) => (
        <li key={look}>
          <Mark look={look} label="" />
          {`${count.toLocaleString('en-US')} ${LOOK_NAMES[look]}`}
        </li>
      ))}
    </ul>
  );
}

/** Indexes of a group that are shown as buttons. */
const SHOWN = 12;

function Failures(props: {
  groups: readonly IFailureGroup[];
  onChoose: (index: number) => void;
}): React.ReactElement | null {
  if (props.groups.length === 0) {
    return null;
  }
  return (
    <ul className="nb-Failures" data-part="failures">
      {props.groups.map(({ outcome, words, count, indexes }) => (
        <li key={`${outcome} ${words}`}>
          <Mark look={lookOf('FAILED', outcome)} label="" />
          <span>{`${count.toLocaleString('en-US')} × ${words}`}</span>
          {indexes.slice(0, SHOWN).map(index => (
            <button key={index} type="button" className="nb-Chip" onClick={() => props.onChoose(index)}>
              {index}
            </button>
          ))}
          {count > SHOWN && <span className="nb-weak">…</span>}
        </li>
      ))}
    </ul>
  );
}

interface IChildProps {
  readonly children_: IChildren;
  readonly index: number;
  readonly place: IJobPlace;
}

/** What became of one child, and the ways to its log and its detail. */
function OneChild({ children_, index, place }: IChildProps): React.ReactElement {
  const { app, store, trans } = useServices();
  const child = `${place.id}:${index}`;
  const status = children_.statuses[index] ?? '';
  const { value, error } = useJobNews(store, [child, `${status} of ${child}`], signal =>
    store.ask('GET jobs/{id}/children/{index}', {
      id: place.id,
      index,
      query: { backend: place.backend },
      signal,
    }),
  );
  const run = (command: string) => void app.commands.execute(command, { ...place, id: child });
  return (
    <>
      <span data-child={index}>
        {error?.message}
        {value && <Mark look={lookOf(value.job.status, value.job.outcome)} label="" />}
        {value && ` ${value.job.words}${tookOf(value)}`}
      </span>
      <Button small onClick={() => run(Commands.openLog)}>
        {trans.__('Log')}
      </Button>
      <Button small onClick={() => run(Commands.openJob)}>
        {trans.__('Details')}
      </Button>
    </>
  );
}

function tookOf({ job, attempts }: IJobDetail): string {
  const took = job.seconds === null ? '' : `, ${duration(job.seconds * 1_000)}`;
  return attempts.length > 1 ? `${took}, ${counted(attempts.length, 'attempt')}` : took;
}
