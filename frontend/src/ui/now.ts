/** The time, in components that tick. All of them share one timer, which stops behind a hidden page. */

import { type IObservable, Observable, useValue } from '../observable';

export class Clock implements IObservable<number> {
  private readonly time = new Observable(Date.now());
  private watchers = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  get value(): number {
    return this.time.value;
  }

  subscribe(listener: () => void): () => void {
    const unsubscribe = this.time.subscribe(listener);
    this.watchers += 1;
    if (this.timer === undefined) {
      this.tick(); // it stood still while nobody looked
      this.timer = setInterval(() => this.tick(), 1_000);
    }
    return () => {
      unsubscribe();
      this.watchers -= 1;
      if (this.watchers === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
      }
    };
  }

  private tick(): void {
    if (document.visibilityState !== 'hidden') {
      this.time.set(Date.now());
    }
  }
}

const clock = new Clock();

/** Epoch ms, anew each second. */
export function useNow(): number {
  return Math.max(useValue(clock), 0);
}
