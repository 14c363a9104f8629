/**
 * The jobs of the list: pages from the server, newest first, kept true by the news. While a page is on
 * its way the news is applied to what is there and once more to the page, which may be older.
 */

import type { IDisposable } from '@lumino/disposable';
import { type ApiError, asApiError, isAborted } from '../api';
import { type IObservable, Observable } from '../observable';
import type { IJobRow, IJobs, INews } from '../shapes';
import type { Store } from '../store';
import { EVERYTHING, type IFilter, matches } from './filter';

export interface IJobsState {
  readonly filter: IFilter;
  readonly rows: readonly IJobRow[];
  readonly queues: readonly string[];
  /** How many there are on the server; more than that where it is not exact. */
  readonly total: number;
  readonly isTotalExact: boolean;
  readonly hasMore: boolean;
  /** `first` until something was answered for this filter. */
  readonly phase: 'first' | 'loading' | 'idle';
  readonly error: ApiError | null;
}

/** Jobs that are asked for at first, which fill a screen, and when somebody goes on; a server has loaded more. */
const FIRST = 100;
const PAGE = 500;
const NOTHING: IJobsState = {
  filter: EVERYTHING,
  rows: [],
  queues: [],
  total: 0,
  isTotalExact: true,
  hasMore: false,
  phase: 'first',
  error: null,
};

export class JobsModel implements IDisposable {
  /** Id of the selected job; empty where none is. */
  readonly selected = new Observable('');
  private readonly store: Store;
  private readonly state_: Observable<IJobsState>;
  private readonly unsubscribe: () => void;
  private request = new AbortController();
  private token = '';
  private missed: INews[] = [];
  private disposed = false;

  constructor(store: Store, filter: IFilter = EVERYTHING) {
    this.store = store;
    this.state_ = new Observable({ ...NOTHING, filter });
    store.news.connect(this.onNews, this);
    this.unsubscribe = store.backend.subscribe(() => this.state_.set({ ...NOTHING, filter: this.filter }));
  }

  get state(): IObservable<IJobsState> {
    return this.state_;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    this.request.abort();
    this.unsubscribe();
    this.store.news.disconnect(this.onNews, this);
  }

  /** A job of the list, by its id. */
  find(id: string): IJobRow | undefined {
    return this.state_.value.rows.find(row => row.id === id);
  }

  /** Show other jobs. */
  show(filter: IFilter): void {
    this.update({ filter });
    void this.reload();
  }

  /** Ask for the first page again. */
  async reload(): Promise<void> {
    await this.load('');
  }

  /** Ask for the next page, if there is one and none is on its way. */
  async more(): Promise<void> {
    if (this.state_.value.hasMore && this.state_.value.phase === 'idle') {
      await this.load(this.token);
    }
  }

  /** Take over what an action's answer says. */
  apply(rows: readonly IJobRow[], gone: readonly string[] = []): void {
    const { rows: had, total } = this.state_.value;
    const merged = merge(had, rows, gone, this.filter);
    this.update({ rows: merged, total: total + merged.length - had.length });
  }

  private get filter(): IFilter {
    return this.state_.value.filter;
  }

  private async load(token: string): Promise<void> {
    this.request.abort();
    this.request = new AbortController();
    this.missed = [];
    const { signal } = this.request;
    this.update({ phase: this.state_.value.phase === 'first' ? 'first' : 'loading' });
    try {
      const query = { ...this.filter, limit: token ? PAGE : FIRST, page: token };
      const page = await this.store.ask('GET jobs', { query, signal });
      this.onPage(page, token !== '');
    } catch (error) {
      if (!isAborted(error)) {
        this.update({ phase: 'idle', error: asApiError(error) });
      }
    }
  }

  private onPage(page: IJobs, isNext: boolean): void {
    this.token = page.token;
    const rows = isNext ? appended(this.state_.value.rows, page.jobs) : page.jobs;
    const { total, isTotalExact, queues } = page;
    this.update({
      rows,
      queues,
      total,
      isTotalExact,
      hasMore: page.token !== '',
      phase: 'idle',
      error: null,
    });
    for (const news of this.missed.splice(0)) {
      this.apply(news.jobs, news.gone);
    }
  }

  private onNews(_: Store, news: INews): void {
    if (news.isReset || this.state_.value.error) {
      void this.reload();
      return;
    }
    if (this.state_.value.phase !== 'idle') {
      this.missed.push(news);
    }
    if (news.jobs.length > 0 || news.gone.length > 0) {
      this.apply(news.jobs, news.gone);
    }
  }

  private update(change: Partial<IJobsState>): void {
    this.state_.set({ ...this.state_.value, ...change });
  }
}

/** A page after those before it; a job that moved between two pages stands once. Pure. */
export function appended(rows: readonly IJobRow[], page: readonly IJobRow[]): IJobRow[] {
  const known = new Set(rows.map(row => row.id));
  return [...rows, ...page.filter(row => !known.has(row.id))];
}

/** Rows with changes applied: newest first, without those that are gone or no longer match. Pure. */
export function merge(
  rows: readonly IJobRow[],
  changed: readonly IJobRow[],
  gone: readonly string[],
  filter: IFilter,
): IJobRow[] {
  const fresh = new Map(changed.map(row => [row.id, row]));
  const away = new Set(gone);
  const kept: IJobRow[] = [];
  for (const row of rows) {
    const now = fresh.get(row.id) ?? row;
    fresh.delete(row.id);
    if (!away.has(row.id) && (now === row || matches(filter, now))) {
      kept.push(now);
    }
  }
  const added = [...fresh.values()].filter(row => !away.has(row.id) && matches(filter, row));
  return added.length > 0 ? [...added, ...kept].sort(newestFirst) : kept;
}

function newestFirst(one: IJobRow, other: IJobRow): number {
  return other.created - one.created;
}
