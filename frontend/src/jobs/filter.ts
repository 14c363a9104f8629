/** Which jobs are shown. The server applies it to pages, `matches` to what the news brings. Pure. */

import type { IJobRow } from '../shapes';
import { hasEnded } from './look';

export interface IFilter {
  /** Part of a name, an id, a queue or a notebook. */
  readonly text: string;
  /** A status, a way to fail, `active`, or nothing. */
  readonly status: string;
  /** A queue's name, or nothing. */
  readonly queue: string;
}

export const EVERYTHING: IFilter = { text: '', status: '', queue: '' };

export function isEverything({ text, status, queue }: IFilter): boolean {
  return !(text || status || queue);
}

export function matches(filter: IFilter, row: IJobRow): boolean {
  return (!filter.queue || row.queue === filter.queue) && isIn(filter.status, row) && says(filter.text, row);
}

function isIn(status: string, row: IJobRow): boolean {
  switch (status) {
    case '':
      return true;
    case 'active':
      return !hasEnded(row.status);
    default:
      return row.status === status || row.outcome === status;
  }
}

function says(text: string, row: IJobRow): boolean {
  const wanted = text.trim().toLowerCase();
  return [row.name, row.id, row.queue, row.notebook].some(value => value.toLowerCase().includes(wanted));
}
