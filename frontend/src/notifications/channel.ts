/** JupyterLab's notifications and the browser's, with buttons that lead to the job. */

import { Notification as Lab } from '@jupyterlab/apputils';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { Commands } from '../commands';
import type { IServices } from '../services';
import type { IEnded } from '../shapes';
import type { INote } from './model';
import type { IChannel } from './teller';

type Cell = NotebookPanel['content']['widgets'][number];

const SECOND = 1_000;
/** As much of an id as receipts show. */
const SHORT = 8;

/** For so long a cell that has just ended still counts as waiting, in ms: its end and the news race. */
const AFTERWARDS = 15_000;
const ENDED = /\b(SUCCEEDED|FAILED)\b/;

export class Channel implements IChannel {
  private readonly services: IServices;
  private ended: { readonly text: string; readonly at: number }[] = [];

  constructor(services: IServices) {
    this.services = services;
    NotebookActions.executed.connect((_, { cell }) => this.onExecuted(cell));
  }

  show(note: INote): void {
    const { notifySeconds } = this.services.settings.value;
    const stays = note.type === 'error' || notifySeconds === 0;
    Lab.emit(note.message, note.type, {
      autoClose: stays ? false : notifySeconds * SECOND,
      actions: this.actionsOf(note),
      data: { jobs: note.ended.map(job => job.id) },
    });
  }

  showOutside(note: INote): void {
    if (isAllowed()) {
      const shown = new Notification('nbbatch', { body: note.message, tag: note.ended[0]?.id ?? '' });
      shown.onclick = () => {
        window.focus();
        this.open(note);
      };
    }
  }

  isSeen(): boolean {
    return document.visibilityState === 'visible' && document.hasFocus();
  }

  isAwaited({ id }: IEnded): boolean {
    const job = id.slice(0, SHORT);
    const since = Date.now() - AFTERWARDS;
    const isRunning = this.services.notebooks?.find(({ content }) =>
      content.widgets.some(cell => isRun(cell) && outputOf(cell).includes(job)),
    );
    return isRunning !== undefined || this.ended.some(({ text, at }) => at > since && text.includes(job));
  }

  /** A cell that has told of a job's end has waited for it; one that was detached has not. */
  private onExecuted(cell: Cell): void {
    const text = outputOf(cell);
    const now = Date.now();
    this.ended = this.ended.filter(({ at }) => at > now - AFTERWARDS);
    if (ENDED.test(text)) {
      this.ended.push({ text, at: now });
    }
  }

  private actionsOf(note: INote): Lab.IAction[] {
    const { app, trans } = this.services;
    const [job] = note.ended;
    if (note.ended.length > 1 || job === undefined) {
      return [{ label: trans.__('Show'), callback: () => this.open(note) }];
    }
    const act = (label: string, command: string): Lab.IAction => ({
      label,
      callback: () => void app.commands.execute(command, { id: job.id }),
    });
    return note.type === 'success'
      ? [act(trans.__('Show'), Commands.openJob)]
      : [act(trans.__('Log'), Commands.openLog), act(trans.__('Retry'), Commands.retryJob)];
  }

  private open(note: INote): void {
    const { commands } = this.services.app;
    const [job] = note.ended;
    if (note.ended.length === 1 && job) {
      void commands.execute(Commands.openJob, { id: job.id });
    } else {
      void commands.execute(Commands.showJobs, note.type === 'error' ? { status: 'FAILED' } : {});
    }
  }
}

/** Ask the browser for permission, once; it answers at once where it was asked before. */
export async function askBrowser(): Promise<void> {
  if ('Notification' in window && Notification.permission === 'default') {
    await Notification.requestPermission();
  }
}

function isAllowed(): boolean {
  return 'Notification' in window && Notification.permission === 'granted';
}

function isRun(cell: Cell): boolean {
  const shared = cell.model.sharedModel;
  return 'executionState' in shared && shared.executionState === 'running';
}

/** All that a cell shows, as text; the receipt of a job names it. */
function outputOf(cell: Cell): string {
  const shared = cell.model.sharedModel;
  return 'outputs' in shared ? JSON.stringify(shared.outputs) : '';
}
