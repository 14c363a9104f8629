/** The parts of a detail that are tables: a heading that folds, pairs, attempts, and the job's life. */

import * as React from 'react';
import { duration, moment } from '../format';
import { lookOf } from '../jobs/look';
import { useServices } from '../services';
import { type IAttempt, type IMoment, STATUSES } from '../shapes';
import { Mark } from '../ui/mark';

interface IPartProps {
  readonly title: string;
  /** Stable, `data-part` in the page. */
  readonly name: string;
  readonly closed?: boolean;
  readonly children: React.ReactNode;
}

export function Part({ title, name, closed, children }: IPartProps): React.ReactElement {
  return (
    <details className="nb-Part" data-part={name} open={!closed}>
      <summary>
        <h2>{title}</h2>
      </summary>
      <div className="nb-Part-body">{children}</div>
    </details>
  );
}

/** Names and values; what has no value is left out. */
export function Pairs({ pairs }: { pairs: readonly (readonly [string, string])[] }): React.ReactElement {
  return (
    <dl className="nb-Pairs">
      {pairs
        .filter(([, value]) => value !== '')
        .map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ))}
    </dl>
  );
}

export function AttemptsPart({ attempts }: { attempts: readonly IAttempt[] }): React.ReactElement | null {
  const { trans } = useServices();
  if (attempts.length === 0) {
    return null;
  }
  const heads = [
    trans.__('Attempt'),
    trans.__('Started'),
    trans.__('Took'),
    trans.__('Exit code'),
    trans.__('Host'),
    trans.__('Reason'),
  ];
  return (
    <Part title={`${trans.__('Attempts')} (${attempts.length})`} name="attempts">
      <Table heads={heads} rows={attempts.map(attemptCells)} />
    </Part>
  );
}

function attemptCells({ number, started, stopped, exitCode, host, reason }: IAttempt): string[] {
  const took = started !== null && stopped !== null ? duration(stopped - started) : '';
  return [String(number), moment(started), took, exitCode === null ? '' : String(exitCode), host, reason];
}

function Table({ heads, rows }: { heads: readonly string[]; rows: readonly string[][] }): React.ReactElement {
  return (
    <div className="nb-Table">
      <table>
        <thead>
          <tr>
            {heads.map(head => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows are only ever added behind
            <tr key={at}>
              {cells.map((cell, column) => (
                <td key={heads[column]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function EventsPart({ events }: { events: readonly IMoment[] }): React.ReactElement | null {
  const { trans } = useServices();
  const first = events[0];
  if (!first) {
    return null;
  }
  return (
    <Part title={trans.__('Events')} name="events">
      <ol className="nb-Events">
        {events.map(event => (
          <li key={`${event.time} ${event.status} ${event.child}`}>
            <Mark look={lookOf(isStatus(event.status) ? event.status : 'RUNNABLE', null)} label="" />
            <span className="nb-Events-when" title={moment(event.time)}>
              {`+${duration(event.time - first.time)}`}
            </span>
            <span>{event.status}</span>
            <span className="nb-weak">{event.reason}</span>
          </li>
        ))}
      </ol>
    </Part>
  );
}

const isStatus = (word: string) => (STATUSES as readonly string[]).includes(word);
