/**
 * A log as far as it was brought: its last lines first, earlier ones when they are asked for, new ones
 * as they come. Lines are kept as they are; only what is on the screen is coloured.
 */

import type { IDisposable } from '@lumino/disposable';
import { type ApiError, asApiError, isAborted } from '../api';
import { type IObservable, Observable } from '../observable';
import type { ILogLine, ILogPage } from '../shapes';
import type { Store } from '../store';
import { type IStyle, isPlain, PLAIN, piecesOf, plainOf } from './ansi';

export interface ILogState {
  /** Grows with each change of the lines, which are not copied. */
  readonly version: number;
  readonly count: number;
  readonly phase: 'loading' | 'idle';
  readonly hasEarlier: boolean;
  readonly isOver: boolean;
  readonly attempt: number;
  readonly attempts: number;
  readonly error: ApiError | null;
}

interface ILogPlace {
  readonly id: string;
  readonly backend: string;
}

const FIRST_PAGE = 2_000;
const LARGEST_PAGE = 10_000;
const WAIT = 20;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
const NOTHING: ILogState = {
  version: 0,
  count: 0,
  phase: 'loading',
  hasEarlier: false,
  isOver: false,
  attempt: 0,
  attempts: 0,
  error: null,
};

export class LogModel implements IDisposable {
  private readonly store: Store;
  private readonly place: ILogPlace;
  private readonly state_ = new Observable(NOTHING);
  private lines: ILogLine[] = [];
  /** The style in which each line begins, as far as anyone asked. */
  private starts: IStyle[] = [PLAIN];
  private forward = '';
  private backward = '';
  private wanted: number | undefined;
  private life = new AbortController();

  constructor(store: Store, place: ILogPlace, attempt?: number) {
    this.store = store;
    this.place = place;
    this.wanted = attempt;
  }

  get state(): IObservable<ILogState> {
    return this.state_;
  }

  get isDisposed(): boolean {
    return this.life.signal.aborted;
  }

  dispose(): void {
    this.life.abort();
  }

  line(at: number): ILogLine | undefined {
    return this.lines[at];
  }

  /** The style in which a line begins: what the lines before it have left on. */
  startOf(at: number): IStyle {
    for (let next = this.starts.length; next <= at; next++) {
      const text = this.lines[next - 1]?.text ?? '';
      const start = this.starts[next - 1] ?? PLAIN;
      this.starts.push(isPlain(text) ? start : piecesOf(text, start).end);
    }
    return this.starts[at] ?? PLAIN;
  }

  /** The lines that have this in them, whatever the case. */
  find(text: string): number[] {
    const wanted = text.toLowerCase();
    const found: number[] = [];
    if (wanted) {
      this.lines.forEach((line, at) => {
        if (plainOf(line.text).toLowerCase().includes(wanted)) {
          found.push(at);
        }
      });
    }
    return found;
  }

  /** All lines that are here, without colours. */
  text(): string {
    return this.lines.map(line => `${plainOf(line.text)}\n`).join('');
  }

  /** Bring the last lines, and then new ones until the attempt is over; only while `seen` is true. */
  async follow(seen: IObservable<boolean>): Promise<void> {
    let failures = 0;
    while (!this.isDisposed && !this.state_.value.isOver) {
      await until(seen, this.life.signal);
      try {
        await this.next();
        failures = 0;
      } catch (error) {
        if (isAborted(error)) {
          return;
        }
        this.update({ error: asApiError(error), phase: 'idle' });
        await pause(Math.min(FIRST_PAUSE * 2 ** failures++, LONGEST_PAUSE), this.life.signal);
      }
    }
  }

  /** Bring a page of earlier lines; gives how many there were. */
  async earlier(limit = FIRST_PAGE): Promise<number> {
    if (!this.backward || this.state_.value.phase === 'loading') {
      return 0;
    }
    this.update({ phase: 'loading' });
    try {
      const page = await this.page({ page: this.backward, limit });
      this.lines = [...page.lines, ...this.lines];
      this.starts = [PLAIN];
      this.backward = page.backward;
      this.changed({ phase: 'idle', hasEarlier: this.backward !== '' });
      return page.lines.length;
    } catch (error) {
      this.update(isAborted(error) ? {} : { error: asApiError(error), phase: 'idle' });
      return 0;
    }
  }

  /** Bring all of it, so that a search finds what stands at the beginning, too. */
  async whole(): Promise<void> {
    while (!this.isDisposed && this.state_.value.hasEarlier) {
      const brought = await this.earlier(LARGEST_PAGE);
      if (brought === 0) {
        return;
      }
    }
  }

  private async next(): Promise<void> {
    const isFirst = this.forward === '';
    const query = isFirst ? { limit: FIRST_PAGE } : { page: this.forward, limit: LARGEST_PAGE, wait: WAIT };
    const page = await this.page(query);
    if (isFirst) {
      this.backward = page.backward;
    }
    if (isFirst && page.forward === '') {
      await pause(FIRST_PAUSE, this.life.signal); // nothing was logged yet
    }
    this.forward = page.forward;
    for (const line of page.lines) {
      this.lines.push(line);
    }
    this.changed({
      phase: 'idle',
      error: null,
      hasEarlier: this.backward !== '',
      isOver: page.isOver,
      attempt: page.attempt,
      attempts: page.attempts,
    });
  }

  private page(query: { page?: string; limit: number; wait?: number }): Promise<ILogPage> {
    const { id, backend } = this.place;
    const whole = { ...query, attempt: this.wanted, backend };
    return this.store.ask('GET jobs/{id}/logs', { id, query: whole, signal: this.life.signal });
  }

  private changed(change: Partial<ILogState>): void {
    this.update({ ...change, version: this.state_.value.version + 1, count: this.lines.length });
  }

  private update(change: Partial<ILogState>): void {
    this.state_.set({ ...this.state_.value, ...change });
  }
}

/** Until it is true, or nobody wants to know. */
function until(value: IObservable<boolean>, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (value.value || signal.aborted) {
        unsubscribe();
        signal.removeEventListener('abort', look);
        resolve();
      }
    };
    const unsubscribe = value.subscribe(look);
    signal.addEventListener('abort', look);
    look();
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
