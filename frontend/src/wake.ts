/** Tells when the machine wakes up or the network is back: what was asked before may never be answered. */

import { DisposableDelegate, type IDisposable } from '@lumino/disposable';

const TICK = 5_000;
/** A tick that is later than this was slept through; the timers of a hidden page are late by a minute. */
const ASLEEP = 90_000;

/** Call back at each awakening, until it is disposed of. */
export function onWake(wake: () => void): IDisposable {
  let last = Date.now();
  const timer = setInterval(() => {
    const before = last;
    last = Date.now();
    if (last - before > ASLEEP) {
      wake();
    }
  }, TICK);
  window.addEventListener('online', wake);
  return new DisposableDelegate(() => {
    clearInterval(timer);
    window.removeEventListener('online', wake);
  });
}
