/**
 * An answer that is kept fresh while somebody looks at it: asked for again when the news say that
 * something changed, not more often than a pause allows, and now and then in any case, because hosts
 * come and go without a job. What was known stays while the next answer is on its way or fails. A
 * refusal that is not passing holds until it may be another one: the same question has the same answer.
 */

import * as React from 'react';
import { type AnswerOf, type ApiError, asApiError, type IAsk, type Route } from '../api';
import { type IObservable, Observable, useValue } from '../observable';
import { useServices } from '../services';
import type { INews } from '../shapes';
import type { Store } from '../store';

/** The last answer, and the last failure if it came later. */
export interface IFresh<T> {
  readonly answer: T | null;
  readonly error: ApiError | null;
}

const LONGEST = 15_000;

export class Fresh<T> {
  private readonly state_ = new Observable<IFresh<T>>({ answer: null, error: null });
  private readonly ask: () => Promise<T>;
  private readonly pause: () => number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = Number.NEGATIVE_INFINITY;
  private isOn = false;
  private isAsking = false;
  private isStale = true;
  private isRefused = false;

  /** `pause` gives the least time between two questions, in ms. */
  constructor(ask: () => Promise<T>, pause: () => number) {
    this.ask = ask;
    this.pause = pause;
  }

  get state(): IObservable<IFresh<T>> {
    return this.state_;
  }

  /** Somebody looks, or no longer does. */
  turn(isOn: boolean): void {
    this.isOn = isOn;
    this.schedule();
  }

  /** What is known is old. */
  changed(): void {
    this.isStale = true;
    this.schedule();
  }

  /** Everything may be different: what was refused is asked again, too. */
  reset(): void {
    this.isRefused = false;
    this.changed();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.isOn && !this.isAsking && !this.isRefused) {
      const due = this.asked + (this.isStale ? this.pause() : Math.max(LONGEST, this.pause()));
      this.timer = setTimeout(() => void this.round(), Math.max(0, due - Date.now()));
    }
  }

  private async round(): Promise<void> {
    this.isAsking = true;
    this.isStale = false;
    this.asked = Date.now();
    try {
      this.state_.set({ answer: await this.ask(), error: null });
    } catch (problem) {
      const error = asApiError(problem);
      this.isRefused = !this.isStale && !error.passing;
      this.state_.set({ answer: this.state_.value.answer, error });
    }
    this.isAsking = false;
    this.schedule();
  }
}

const SECOND = 1_000;

/** A route's answer for the chosen backend, fresh while the section is in front of somebody's eyes. */
export function useFresh<R extends Route>(
  route: R,
  query: IAsk<R>['query'],
  active: boolean,
): IFresh<AnswerOf<R>> {
  const { store, settings } = useServices();
  const backend = useValue(store.backend);
  const urgency = useValue(store.attention.urgencyNow);
  const wanted = JSON.stringify(query ?? {});
  // biome-ignore lint/correctness/useExhaustiveDependencies: another backend's answer is another one
  const fresh = React.useMemo(
    () =>
      new Fresh(
        () => store.ask(route, { query: JSON.parse(wanted) }),
        () => settings.value.refreshSeconds * SECOND,
      ),
    [store, settings, route, wanted, backend],
  );
  React.useEffect(() => {
    fresh.turn(active && urgency === 'watching');
  }, [fresh, active, urgency]);
  React.useEffect(() => {
    const onNews = (_: unknown, news: INews) =>
      news.isReset ? fresh.reset() : isChange(news) && fresh.changed();
    store.news.connect(onNews);
    const forgetSettings = settings.subscribe(() => fresh.reset());
    const forgetConnection = onComeback(store, () => fresh.reset());
    return () => {
      store.news.disconnect(onNews);
      forgetSettings();
      forgetConnection();
      fresh.turn(false);
    };
  }, [store, settings, fresh]);
  return useValue(fresh.state);
}

/** Call this whenever the backend answers again; gives what ends that. */
function onComeback({ connection }: Store, call: () => void): () => void {
  let wasDown = connection.value.kind === 'down';
  return connection.subscribe(() => {
    const { kind } = connection.value;
    if (wasDown && kind === 'live') {
      call();
    }
    wasDown = kind === 'down' || (wasDown && kind !== 'live');
  });
}

function isChange({ jobs, gone }: INews): boolean {
  return jobs.length > 0 || gone.length > 0;
}
