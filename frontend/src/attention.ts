/**
 * Whether anybody looks: the page is in front and something of ours is on the screen. What refreshes
 * itself runs only then, except for those who asked to be told behind a hidden page, too.
 */

import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { type IObservable, Observable } from './observable';

/** How urgently news is wanted: at once, now and then, or not at all. */
export type Urgency = 'watching' | 'listening' | 'away';

export class Attention {
  private readonly looking = new Set<object>();
  private readonly listening = new Set<object>();
  private readonly state = new Observable<Urgency>('away');
  private readonly page: Document;
  private readonly update = () => this.state.set(this.urgency());

  constructor(page: Document = document) {
    this.page = page;
    page.addEventListener('visibilitychange', this.update);
  }

  get urgencyNow(): IObservable<Urgency> {
    return this.state;
  }

  /** Somebody looks at something of ours until this is disposed of; a hidden page does not count. */
  look(): IDisposable {
    return this.hold(this.looking);
  }

  /** Somebody wants to hear until this is disposed of, seen or not: notifications, say. */
  listen(): IDisposable {
    return this.hold(this.listening);
  }

  dispose(): void {
    this.page.removeEventListener('visibilitychange', this.update);
  }

  private hold(holders: Set<object>): IDisposable {
    const holder = {};
    holders.add(holder);
    this.update();
    return new DisposableDelegate(() => {
      holders.delete(holder);
      this.update();
    });
  }

  private urgency(): Urgency {
    if (this.looking.size > 0 && this.page.visibilityState !== 'hidden') {
      return 'watching';
    }
    return this.listening.size > 0 ? 'listening' : 'away';
  }
}
