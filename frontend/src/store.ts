/**
 * What all sections share: the chosen backend, whether it answers, and one stream of news for the
 * whole panel. News is asked for by a long poll while somebody looks, now and then while somebody only
 * wants to hear, and never while nobody does; after a failure it waits longer each time.
 */

import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';
import { type AnswerOf, ApiError, asApiError, type Client, type IAsk, isAborted, type Route } from './api';
import type { Attention } from './attention';
import { type IObservable, Observable } from './observable';
import type { IBackends, INews } from './shapes';
import { onWake } from './wake';

/** Whether the backend answers; `again` is when it is asked next, in epoch ms. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'down'; readonly error: ApiError; readonly again: number };

const FIRST_PAUSE = 1_000;
const GROWTH = 1.5;
const LONGEST_PAUSE = 30_000;
/** Between answers while nobody looks: a notification may come this late, an array costs no more requests. */
const UNSEEN_PAUSE = 3_000;
const WAIT = 20;
/** The server gives a backend up long before this, in ms: whoever has not answered by then will not. */
const LONGEST_ANSWER = 120_000;

export class Store implements IDisposable {
  readonly api: Client;
  readonly attention: Attention;
  private readonly _backend = new Observable('');
  private readonly _backends = new Observable<IBackends | null>(null);
  private readonly _connection = new Observable<Connection>({ kind: 'connecting' });
  private readonly _news = new Signal<this, INews>(this);
  private readonly unsubscribe: () => void;
  private readonly waking: IDisposable;
  private round = new AbortController();
  private cursor = '';
  private failures = 0;
  private running = false;
  private disposed = false;

  constructor(api: Client, attention: Attention, backend = '') {
    this.api = api;
    this.attention = attention;
    this._backend.set(backend);
    this.unsubscribe = attention.urgencyNow.subscribe(() => this.onUrgency());
    this.waking = onWake(() => this.wake());
    this.onUrgency();
  }

  /** Name of the chosen backend; empty for the server's default one. */
  get backend(): IObservable<string> {
    return this._backend;
  }

  /** All configured backends; null until they were asked for. */
  get backends(): IObservable<IBackends | null> {
    return this._backends;
  }

  get connection(): IObservable<Connection> {
    return this._connection;
  }

  /** Emits what changed; `isReset` says that whatever was known has to be asked for again. */
  get news(): ISignal<this, INews> {
    return this._news;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    this.unsubscribe();
    this.waking.dispose();
    this.round.abort();
    Signal.clearData(this);
  }

  /** Choose another backend; all that is shown is asked for again. */
  choose(backend: string): void {
    if (backend !== this._backend.value) {
      this.cursor = '';
      this._backend.set(backend);
      this._connection.set({ kind: 'connecting' });
      this.again();
    }
  }

  /** Ask now, whatever went wrong before; all that is shown is asked for again. */
  retry(): void {
    this.cursor = '';
    this.failures = 0;
    this.again();
  }

  /** Ask a route about the chosen backend. */
  ask<R extends Route>(route: R, asked: IAsk<R> = {}): Promise<AnswerOf<R>> {
    const query = { backend: this._backend.value, ...asked.query } as IAsk<R>['query'];
    return this.api.ask(route, { ...asked, query });
  }

  /** Start the chosen backend's daemon, and go on. */
  async start(): Promise<void> {
    await this.api.ask('POST backends/start', { body: { backend: this._backend.value } });
    this.retry();
  }

  /** Ask which backends there are. */
  async refreshBackends(): Promise<IBackends> {
    const backends = await this.api.ask('GET backends');
    this._backends.set(backends);
    return backends;
  }

  /** Ask at once: a question from before will not be answered, and a pause is over. */
  private wake(): void {
    this.failures = 0;
    this.again();
  }

  private onUrgency(): void {
    if (this.attention.urgencyNow.value === 'away') {
      this.round.abort();
    } else if (this.running) {
      this.again();
    } else {
      void this.run();
    }
  }

  private again(): void {
    this.round.abort();
    if (!this.running && this.attention.urgencyNow.value !== 'away') {
      void this.run();
    }
  }

  private async run(): Promise<void> {
    this.running = true;
    while (!this.disposed && this.attention.urgencyNow.value !== 'away') {
      this.round = new AbortController();
      await sleep(await this.once(this.round.signal), this.round.signal);
    }
    this.running = false;
  }

  /** One question for news; gives how long to wait before the next one, in ms. */
  private async once(signal: AbortSignal): Promise<number> {
    const seen = this.attention.urgencyNow.value === 'watching';
    try {
      await this.hear(seen, signal);
    } catch (error) {
      return isAborted(error) ? 0 : this.onFailure(asApiError(error));
    }
    return seen ? this.pause : Math.max(this.pause, UNSEEN_PAUSE);
  }

  private pause = 0;

  private async hear(seen: boolean, signal: AbortSignal): Promise<void> {
    const wait = this._connection.value.kind === 'live' ? WAIT : 0;
    const hidden = seen ? '' : '1';
    const query = { cursor: this.cursor, wait, hidden };
    const news = await inTime(signal, both => this.ask('GET news', { query, signal: both }));
    if (signal.aborted) {
      return;
    }
    if (news.noDaemon) {
      throw new ApiError(news.noDaemon, { status: 503, reason: 'NoDaemon' });
    }
    this.failures = 0;
    this.pause = news.pause * 1_000;
    this.cursor = news.cursor;
    this._connection.set({ kind: 'live' });
    this._news.emit(news);
  }

  private onFailure(error: ApiError): number {
    const pause = Math.min(FIRST_PAUSE * GROWTH ** this.failures, LONGEST_PAUSE);
    this.failures += 1;
    this._connection.set({ kind: 'down', error, again: Date.now() + pause });
    return pause;
  }
}

/** An answer, or an ApiError where none came in a time that is long enough for any. */
async function inTime<T>(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const request = new AbortController();
  const abort = () => request.abort();
  signal.addEventListener('abort', abort);
  const timer = setTimeout(abort, LONGEST_ANSWER);
  try {
    return await ask(request.signal);
  } catch (error) {
    if (isAborted(error) && !signal.aborted) {
      throw new ApiError('The Jupyter server does not answer.', {
        cure: 'It is asked again; reload the page if that goes on.',
      });
    }
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** Wait, or until the signal says that there is no need to. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
