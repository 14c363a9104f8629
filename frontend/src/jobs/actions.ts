/** What can be done with a job, as requests; each says what happened, and a refusal why. */

import { InputDialog, Notification } from '@jupyterlab/apputils';
import { NotebookActions } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon, refreshIcon, stopIcon, textEditorIcon } from '@jupyterlab/ui-components';
import { asApiError } from '../api';
import { Commands } from '../commands';
import type { IServices } from '../services';
import type { IDone, IJobRow } from '../shapes';
import type { JobsModel } from './model';
import type { IInlineAction } from './row';

/** The buttons of a row. The same list for rows of which the same can be done, so that they stay drawn. */
export function inlineActions(trans: TranslationBundle): (row: IJobRow) => readonly IInlineAction[] {
  const log = { command: Commands.openLog, icon: textEditorIcon, label: trans.__('Log') };
  const cancel = { command: Commands.cancelJob, icon: closeIcon, label: trans.__('Cancel') };
  const terminate = { command: Commands.terminateJob, icon: stopIcon, label: trans.__('Terminate') };
  const retry = { command: Commands.retryJob, icon: refreshIcon, label: trans.__('Retry') };
  const known = new Map<string, readonly IInlineAction[]>();
  return row => {
    const key = [row.canCancel, row.canTerminate, row.canRetry].join();
    const made = known.get(key) ?? [
      log,
      ...(row.canCancel ? [cancel] : []),
      ...(row.canTerminate && !row.canCancel ? [terminate] : []),
      ...(row.canRetry ? [retry] : []),
    ];
    known.set(key, made);
    return made;
  };
}

export class Actions {
  private readonly services: IServices;
  private readonly model: JobsModel;

  constructor(services: IServices, model: JobsModel) {
    this.services = services;
    this.model = model;
  }

  async cancel(id: string, name: string): Promise<void> {
    const { trans } = this.services;
    const reason = await this.reason(
      trans.__('Cancel %1?', name),
      trans.__('It will not start. Why (kept with the job, may be empty)?'),
      trans.__('Cancel the Job'),
    );
    if (reason !== null) {
      await this.carryOut(() => this.services.store.ask('POST jobs/{id}/cancel', { id, body: { reason } }));
    }
  }

  async terminate(id: string, name: string): Promise<void> {
    const { trans } = this.services;
    const reason = await this.reason(
      trans.__('Terminate %1?', name),
      trans.__('It is stopped wherever it is. Why (kept with the job, may be empty)?'),
      trans.__('Terminate'),
    );
    if (reason !== null) {
      await this.carryOut(() =>
        this.services.store.ask('POST jobs/{id}/terminate', { id, body: { reason } }),
      );
    }
  }

  async retry(id: string, whole: boolean): Promise<void> {
    await this.carryOut(() => this.services.store.ask('POST jobs/{id}/retry', { id, body: { whole } }));
  }

  /** Save the executed notebook beside its source, if that has not been done, and open it. */
  async openNotebook(id: string): Promise<void> {
    await this.telling(async () => {
      const saved = await this.services.store.ask('POST jobs/{id}/outputs', { id, body: {} });
      this.services.documents.openOrReveal(saved.path);
    });
  }

  /** Insert the lines that find the job again below the active cell; without a notebook copy them. */
  async insertCode(id: string): Promise<void> {
    const { store, notebooks, trans } = this.services;
    await this.telling(async () => {
      const { code } = await store.ask('GET jobs/{id}/code', { id });
      const content = notebooks?.currentWidget?.content;
      if (!content) {
        await navigator.clipboard.writeText(code);
        Notification.info(trans.__('No notebook is open: the lines are in the clipboard.'), {
          autoClose: 4_000,
        });
        return;
      }
      NotebookActions.insertBelow(content);
      content.activeCell?.model.sharedModel.setSource(code);
    });
  }

  async copyId(id: string): Promise<void> {
    await this.telling(() => navigator.clipboard.writeText(id));
  }

  /** Why a job is stopped; null where the user thinks better of it. */
  private async reason(title: string, label: string, okLabel: string): Promise<string | null> {
    if (!this.services.settings.value.confirm) {
      return '';
    }
    const said = await InputDialog.getText({
      title,
      label,
      okLabel,
      cancelLabel: this.services.trans.__('Keep It'),
    });
    return said.button.accept ? (said.value ?? '') : null;
  }

  private async carryOut(request: () => Promise<IDone>): Promise<void> {
    await this.telling(async () => {
      const done = await request();
      this.model.apply([done.job]);
      Notification.success(done.words, { autoClose: 4_000 });
    });
  }

  private async telling(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const { message, cure } = asApiError(error);
      Notification.error([message, cure].filter(Boolean).join(' '), { autoClose: false });
    }
  }
}
