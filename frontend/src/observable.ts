/** A value that says when it changes, and the hook that shows it in a component. */

import { useSyncExternalStore } from 'react';

/** What can be looked at and subscribed to. */
export interface IObservable<T> {
  readonly value: T;
  subscribe(listener: () => void): () => void;
}

/** A value with its listeners; setting the same value again is no change. */
export class Observable<T> implements IObservable<T> {
  private current: T;
  private readonly listeners = new Set<() => void>();

  constructor(value: T) {
    this.current = value;
    this.subscribe = this.subscribe.bind(this);
  }

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    if (!Object.is(value, this.current)) {
      this.current = value;
      for (const listener of [...this.listeners]) {
        listener();
      }
    }
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }
}

/** The value, in a component that is drawn again when it changes. */
export function useValue<T>(observable: IObservable<T>): T {
  return useSyncExternalStore(
    listener => observable.subscribe(listener),
    () => observable.value,
  );
}
