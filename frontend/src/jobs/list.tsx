/**
 * The list as a grid of which only the rows on the screen are drawn. It is one stop of the Tab key;
 * arrows, Page keys, Home and End move, Enter opens, the menu key (or Shift+F10) opens the menu.
 */

import * as React from 'react';
import type { Column } from '../settings/settings';
import type { IJobRow } from '../shapes';
import { scrolledTo, useSpan } from '../ui/window';
import { type IInlineAction, JobRow, ROW_HEIGHT, rowId } from './row';

interface IListProps {
  readonly rows: readonly IJobRow[];
  readonly total: number;
  readonly selected: string;
  readonly columns: readonly Column[];
  readonly label: string;
  readonly actionsOf: (row: IJobRow) => readonly IInlineAction[];
  readonly onSelect: (id: string) => void;
  readonly onOpen: (id: string) => void;
  readonly onAction: (command: string, id: string) => void;
  /** The end of what is there is near. */
  readonly onEnd: () => void;
}

/** Rows before the end at which more are asked for. */
const NEAR = 60;

export function JobList(props: IListProps): React.ReactElement {
  const { rows, selected, onSelect, onOpen, onEnd } = props;
  const grid = React.useRef<HTMLDivElement>(null);
  const [span, measure] = useSpan(grid, ROW_HEIGHT, rows.length);
  React.useEffect(() => {
    if (span.end > rows.length - NEAR) {
      onEnd();
    }
  }, [span.end, rows.length, onEnd]);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = rows.findIndex(row => row.id === selected);
    const next = moved(event.key, at, rows.length, pageOf(grid.current));
    const row = rows[next];
    if (row) {
      event.preventDefault();
      onSelect(row.id);
      reveal(grid.current, next);
    } else if (event.key === 'Enter' && selected) {
      event.preventDefault();
      onOpen(selected);
    } else if (isMenuKey(event) && selected) {
      event.preventDefault();
      openMenu(selected);
    }
  };
  const drawn = rows.slice(span.first, span.end);
  return (
    <div
      className="nb-JobList"
      role="grid"
      aria-label={props.label}
      aria-rowcount={props.total}
      aria-activedescendant={drawn.some(row => row.id === selected) ? rowId(selected) : undefined}
      tabIndex={0}
      ref={grid}
      onScroll={measure}
      onKeyDown={onKeyDown}
    >
      <div className="nb-JobList-all" role="rowgroup" style={{ height: rows.length * ROW_HEIGHT }}>
        {drawn.map((row, at) => (
          <JobRow
            key={row.id}
            row={row}
            index={span.first + at}
            selected={row.id === selected}
            columns={props.columns}
            actions={props.actionsOf(row)}
            onSelect={onSelect}
            onOpen={onOpen}
            onAction={props.onAction}
          />
        ))}
      </div>
    </div>
  );
}

/** Where a key leads from a row; -1 where it leads nowhere. Pure. */
export function moved(key: string, at: number, count: number, page: number): number {
  const within = (to: number) => Math.max(0, Math.min(count - 1, to));
  switch (key) {
    case 'ArrowDown':
      return within(at + 1);
    case 'ArrowUp':
      return within(at - 1);
    case 'PageDown':
      return within(at + page);
    case 'PageUp':
      return within(at - page);
    case 'Home':
      return within(0);
    case 'End':
      return within(count - 1);
    default:
      return -1;
  }
}

function pageOf(grid: HTMLElement | null): number {
  return Math.max(1, Math.floor((grid?.clientHeight ?? 0) / ROW_HEIGHT) - 1);
}

function reveal(grid: HTMLElement | null, at: number): void {
  if (grid) {
    grid.scrollTop = scrolledTo(at, grid.scrollTop, grid.clientHeight, ROW_HEIGHT);
  }
}

function isMenuKey(event: React.KeyboardEvent): boolean {
  return event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey);
}

/** The menu of JupyterLab opens where a `contextmenu` event happens: at the row, whoever has the focus. */
function openMenu(id: string): void {
  const row = document.getElementById(rowId(id));
  const { left = 0, bottom = 0 } = row?.getBoundingClientRect() ?? {};
  const place = { bubbles: true, cancelable: true, clientX: left + 24, clientY: bottom - 8 };
  row?.dispatchEvent(new MouseEvent('contextmenu', place));
}
