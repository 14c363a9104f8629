/** Jobs that have not ended, as JupyterLab's panel of running things shows them. */

import { Notification } from '@jupyterlab/apputils';
import type { IRunningSessions } from '@jupyterlab/running';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';
import { asApiError } from '../api';
import { Commands } from '../commands';
import { sidebarIcon } from '../icons';
import type { IServices } from '../services';
import type { IJobRow, INews } from '../shapes';

/** More than so many are not listed: they have a panel of their own. */
export const MOST = 200;

export class RunningJobs implements IRunningSessions.IManager, IDisposable {
  readonly name: string;
  readonly shutdownAllLabel: string;
  private readonly services: IServices;
  private readonly changed = new Signal<this, void>(this);
  private rows = new Map<string, IJobRow>();
  private isKnown = false;
  private disposed = false;

  constructor(services: IServices) {
    this.services = services;
    this.name = services.trans.__('Batch Jobs');
    this.shutdownAllLabel = services.trans.__('Stop All');
    services.store.news.connect(this.onNews, this);
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  get runningChanged(): ISignal<this, void> {
    return this.changed;
  }

  dispose(): void {
    this.disposed = true;
    Signal.clearData(this);
  }

  shutdownLabel = (item: IRunningSessions.IRunningItem): string =>
    item instanceof Item && item.row.canCancel
      ? this.services.trans.__('Cancel')
      : this.services.trans.__('Terminate');

  shutdownAllConfirmationText = (): string =>
    this.services.trans._n(
      'Stop %1 job? What it has not finished is lost.',
      'Stop %1 jobs? What they have not finished is lost.',
      this.rows.size,
    );

  running(): IRunningSessions.IRunningItem[] {
    const rows = [...this.rows.values()].sort((one, other) => other.created - one.created);
    return rows.map(row => new Item(this.services, row));
  }

  refreshRunning(): void {
    this.ask().catch(() => undefined); // the sidebar tells that the backend does not answer
  }

  /** The user was asked by the panel already. */
  shutdownAll(): void {
    void Promise.allSettled([...this.rows.values()].map(row => this.stop(row))).then(ends => {
      const [failed] = ends.filter(end => end.status === 'rejected');
      if (failed) {
        Notification.error(asApiError(failed.reason).message, { autoClose: false });
      }
    });
  }

  private async stop({ id, canCancel }: IJobRow): Promise<void> {
    const body = { reason: this.services.trans.__('All jobs were stopped in JupyterLab') };
    const { store } = this.services;
    await (canCancel
      ? store.ask('POST jobs/{id}/cancel', { id, body })
      : store.ask('POST jobs/{id}/terminate', { id, body }));
  }

  private async ask(): Promise<void> {
    const { jobs } = await this.services.store.ask('GET jobs', { query: { status: 'active', limit: MOST } });
    this.isKnown = true;
    this.rows = new Map(jobs.map(row => [row.id, row]));
    this.changed.emit();
  }

  private onNews(_: unknown, { isReset, jobs, gone }: INews): void {
    if (!this.isKnown) {
      return; // nobody has opened the panel
    }
    if (isReset) {
      this.refreshRunning();
      return;
    }
    for (const id of gone) {
      this.rows.delete(id);
    }
    for (const row of jobs) {
      this.take(row);
    }
    if (jobs.length > 0 || gone.length > 0) {
      this.changed.emit();
    }
  }

  private take(row: IJobRow): void {
    if (row.status === 'SUCCEEDED' || row.status === 'FAILED') {
      this.rows.delete(row.id);
    } else if (this.rows.has(row.id) || this.rows.size < MOST) {
      this.rows.set(row.id, row);
    }
  }
}

class Item implements IRunningSessions.IRunningItem {
  readonly row: IJobRow;
  readonly className = 'nb-Running';
  private readonly services: IServices;

  constructor(services: IServices, row: IJobRow) {
    this.services = services;
    this.row = row;
  }

  get context(): string {
    return this.row.id;
  }

  icon = () => sidebarIcon;

  label = () => this.row.name;

  labelTitle = () => `${this.row.name}\n${this.row.words}\n${this.row.queue}\n${this.row.id}`;

  detail = () => this.row.words;

  open = () => this.run(Commands.openJob);

  /** The command asks first, unless the settings say otherwise. */
  shutdown = () => this.run(this.row.canCancel ? Commands.cancelJob : Commands.terminateJob);

  private run(command: string): void {
    void this.services.app.commands.execute(command, { id: this.row.id });
  }
}
