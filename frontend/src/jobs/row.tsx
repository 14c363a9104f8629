/** One row of the list: mark, name and time; state, queue and cost; of an array the strip of its children. */

import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import { ago, dollars, duration, short } from '../format';
import type { Column } from '../settings/settings';
import { type IJobRow, LOOK_VARIABLES } from '../shapes';
import { Mark } from '../ui/mark';
import { useNow } from '../ui/now';
import { Strip } from '../ui/strip';
import { endedOf, hasEnded, lookOfRow } from './look';

/** Pixels; style/jobs.css has the same. */
export const ROW_HEIGHT = 54;

/** A button that appears where the row is pointed at or selected. */
export interface IInlineAction {
  readonly command: string;
  readonly icon: LabIcon;
  readonly label: string;
}

interface IRowProps {
  readonly row: IJobRow;
  readonly index: number;
  readonly selected: boolean;
  readonly columns: readonly Column[];
  readonly actions: readonly IInlineAction[];
  readonly onSelect: (id: string) => void;
  readonly onOpen: (id: string) => void;
  readonly onAction: (command: string, id: string) => void;
}

export const rowId = (id: string) => `nbbatch-job-${id}`;

export const JobRow = React.memo(function JobRow(props: IRowProps): React.ReactElement {
  const { row, index, selected, columns, onSelect, onOpen } = props;
  const shows = (column: Column) => columns.includes(column);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it has the keys
    <div
      className={selected ? 'nb-Job nb-mod-selected' : 'nb-Job'}
      role="row"
      id={rowId(row.id)}
      data-job={row.id}
      data-status={row.status}
      aria-rowindex={index + 1}
      aria-selected={selected}
      tabIndex={-1}
      style={{ top: index * ROW_HEIGHT }}
      title={hint(row)}
      onClick={() => onSelect(row.id)}
      onContextMenu={() => onSelect(row.id)}
      onDoubleClick={() => onOpen(row.id)}
    >
      <div className="nb-Job-cells" role="gridcell">
        <Mark look={lookOfRow(row)} label="" />
        <div className="nb-Job-name">
          <span className="nb-Job-title">{row.name}</span>
          <Kind row={row} />
        </div>
        {shows('elapsed') && <Elapsed row={row} />}
        <div className="nb-Job-state">
          <span style={{ color: `var(${LOOK_VARIABLES[lookOfRow(row)]}-text)` }}>{stateOf(row)}</span>
          {shows('queue') && <span className="nb-Job-queue">{row.queue}</span>}
          {shows('id') && <span className="nb-mono">{short(row.id)}</span>}
          {shows('age') && <Age created={row.created} />}
        </div>
        {shows('cost') && <span className="nb-Job-cost">{dollars(row.cost)}</span>}
        {row.size !== null && <Strip row={row} />}
      </div>
      <Actions {...props} />
    </div>
  );
});

function Actions({ row, actions, onAction }: IRowProps): React.ReactElement {
  return (
    <div className="nb-Job-actions" role="gridcell">
      {actions.map(({ command, icon, label }) => (
        <button
          key={command}
          type="button"
          className="nb-Job-action"
          title={label}
          aria-label={`${label}: ${row.name}`}
          data-command={command}
          tabIndex={-1}
          onClick={event => {
            event.stopPropagation();
            onAction(command, row.id);
          }}
        >
          <icon.react tag="span" />
        </button>
      ))}
    </div>
  );
}

const BADGES: Partial<Record<IJobRow['kind'], string>> = {
  notebook: 'notebook',
  sweep: 'sweep',
  nodes: 'nodes',
};

function Kind({ row }: { row: IJobRow }): React.ReactElement | null {
  const size = row.size === null ? '' : `× ${row.size.toLocaleString('en-US')}`;
  const words = [BADGES[row.kind] ?? '', size].filter(Boolean).join(' ');
  return words ? <span className="nb-Job-badge">{words}</span> : null;
}

/** The state in words; of an array how far it is, and what was asked of it. */
export function stateOf(row: IJobRow): string {
  if (row.size === null || hasEnded(row.status)) {
    return row.words;
  }
  const done = `${endedOf(row).toLocaleString('en-US')} of ${row.size.toLocaleString('en-US')} done`;
  const running = row.counts.RUNNING ?? 0;
  const asked = row.words === row.status ? '' : row.words.slice(row.status.length + 2, -1);
  return [done, running > 0 && `${running.toLocaleString('en-US')} running`, asked]
    .filter(Boolean)
    .join(', ');
}

function hint(row: IJobRow): string {
  return [row.name, row.words, row.reason, row.notebook, row.id].filter(Boolean).join('\n');
}

function Elapsed({ row }: { row: IJobRow }): React.ReactElement {
  const isTicking = !hasEnded(row.status) && row.started !== null;
  return (
    <span className="nb-Job-elapsed">{isTicking ? <Ticking since={row.started ?? 0} /> : took(row)}</span>
  );
}

function took(row: IJobRow): string {
  if (row.size !== null && row.stopped !== null) {
    return duration(row.stopped - (row.started ?? row.created));
  }
  return row.seconds === null ? '' : duration(row.seconds * 1_000);
}

function Ticking({ since }: { since: number }): React.ReactElement {
  return <>{duration(Math.max(0, Math.floor((useNow() - since) / 1_000) * 1_000)).replace('.0', '')}</>;
}

function Age({ created }: { created: number }): React.ReactElement {
  return <span className="nb-Job-age">{ago(created, useNow())}</span>;
}
