/** A job's detail, kept true: asked again when the news tells of the job or of its array. */

import { Throttler } from '@lumino/polling';
import * as React from 'react';
import { type ApiError, asApiError, isAborted } from '../api';
import type { IJobDetail, INews } from '../shapes';
import type { Store } from '../store';

export interface IAsked<T> {
  readonly value: T | null;
  readonly error: ApiError | null;
}

/** Milliseconds between two questions about a job that changes all the time. */
const OFTEN = 1_000;

/** What `ask` answers, asked again when one of these jobs changes. */
export function useJobNews<T>(
  store: Store,
  ids: readonly string[],
  ask: (signal: AbortSignal) => Promise<T>,
): IAsked<T> {
  const [state, setState] = React.useState<IAsked<T>>({ value: null, error: null });
  const latest = React.useRef(ask);
  latest.current = ask;
  const key = ids.join();
  React.useEffect(() => {
    const request = new AbortController();
    const load = async () => {
      try {
        setState({ value: await latest.current(request.signal), error: null });
      } catch (error) {
        if (!isAborted(error)) {
          setState(had => ({ value: had.value, error: asApiError(error) }));
        }
      }
    };
    const throttler = new Throttler(load, { limit: OFTEN, edge: 'trailing' });
    const wanted = new Set(key.split(','));
    const onNews = (_: Store, news: INews) => {
      if (news.isReset || news.jobs.some(row => wanted.has(row.id))) {
        throttler.invoke().catch(() => undefined); // a stopped throttler refuses; nobody looks any more
      }
    };
    setState({ value: null, error: null });
    void load();
    store.news.connect(onNews);
    return () => {
      store.news.disconnect(onNews);
      throttler.dispose();
      request.abort();
    };
  }, [store, key]);
  return state;
}

/** All about a job. */
export function useDetail(store: Store, id: string, backend: string): IAsked<IJobDetail> {
  const [parent = id] = id.split(':');
  return useJobNews(store, [id, parent], signal =>
    store.ask('GET jobs/{id}', { id, query: { backend }, signal }),
  );
}
