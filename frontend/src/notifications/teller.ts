/**
 * Tells of jobs that ended while the page is open. Those that end within a moment are told together.
 * What is told goes to JupyterLab's notifications, and to the browser's where the user wants that and
 * does not look at the page.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import type { IObservable } from '../observable';
import type { ISettings } from '../settings/settings';
import type { IEnded } from '../shapes';
import { type INote, notesOf } from './model';

/** Where notes go. */
export interface IChannel {
  /** In the page. */
  show(note: INote): void;
  /** Outside of it. */
  showOutside(note: INote): void;
  /** Whether somebody has the page before their eyes. */
  isSeen(): boolean;
  /** Whether a cell that runs in the page waits for this job, and will tell itself. */
  isAwaited(job: IEnded): boolean;
}

/** Ends that are no further apart than this are told together, in ms. */
const TOGETHER = 1_200;
/** The first of them waits no longer than this. */
const LONGEST = 5_000;

export class Teller implements IDisposable {
  private readonly settings: IObservable<ISettings>;
  private readonly channel: IChannel;
  private readonly trans: TranslationBundle;
  private readonly told = new Set<string>();
  private waiting: IEnded[] = [];
  private since = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private disposed = false;

  constructor(settings: IObservable<ISettings>, channel: IChannel, trans: TranslationBundle) {
    this.settings = settings;
    this.channel = channel;
    this.trans = trans;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
  }

  /** Jobs have ended; each is told once. */
  hear(ended: readonly IEnded[]): void {
    const isNew = (job: IEnded) => !this.told.has(keyOf(job)) && !this.channel.isAwaited(job);
    const heard = ended.filter(isNew);
    for (const job of ended) {
      this.told.add(keyOf(job));
    }
    if (heard.length > 0) {
      this.since = this.waiting.length === 0 ? Date.now() : this.since;
      this.waiting.push(...heard);
      clearTimeout(this.timer);
      const rest = Math.max(0, this.since + LONGEST - Date.now());
      this.timer = setTimeout(() => this.tell(), Math.min(TOGETHER, rest));
    }
  }

  private tell(): void {
    const { notify, notifyBrowser } = this.settings.value;
    const notes = notesOf(this.waiting, notify, this.trans);
    this.waiting = [];
    for (const note of notes) {
      this.channel.show(note);
      if (notifyBrowser && !this.channel.isSeen()) {
        this.channel.showOutside(note);
      }
    }
  }
}

/** A job that is retried in place may end again. */
function keyOf(job: IEnded): string {
  return `${job.id} ${job.stopped}`;
}
