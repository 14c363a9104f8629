/**
 * The dialog around the form. JupyterLab's own ends at every Enter and every click beside it, which would
 * lose what was typed, so keys and clicks belong to the form here; Escape closes it.
 */

import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { type IServices, ServicesProvider } from '../services';
import type { ISubmitted } from '../shapes';
import type { IDocument } from './document';
import { SubmitForm } from './formView';
import { SubmitModel } from './model';
import { recall, remember } from './remember';

class FormDialog extends Dialog<void> {
  protected override _evtKeydown(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      super._evtKeydown(event);
    } else if (event.key === 'Tab') {
      this.goRound(event);
    }
  }

  protected override _evtClick(_: MouseEvent): void {
    // what is typed is not lost by a click beside the form
  }

  private goRound(event: KeyboardEvent): void {
    const all = [...this.node.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(each => each.offsetParent);
    const end = event.shiftKey ? all[0] : all.at(-1);
    if (document.activeElement === end) {
      event.preventDefault();
      (event.shiftKey ? all.at(-1) : all[0])?.focus();
    }
  }
}

const FOCUSABLE = ['button', 'input', 'select', 'textarea', 'summary']
  .map(tag => `${tag}:not([disabled]):not([tabindex="-1"])`)
  .join();

class FormBody extends ReactWidget {
  private readonly services: IServices;
  private readonly form: React.ReactElement;

  constructor(services: IServices, form: React.ReactElement) {
    super();
    this.services = services;
    this.form = form;
    this.addClass('nb-Form-body');
  }

  protected override render(): React.ReactElement {
    return <ServicesProvider value={this.services}>{this.form}</ServicesProvider>;
  }
}

/** Show the form for a notebook; gives what was submitted, null where the user thought better of it. */
export async function askToSubmit(services: IServices, document: IDocument): Promise<ISubmitted | null> {
  const { store, memory, trans } = services;
  const choice = recall(memory, document.path);
  const model = new SubmitModel(store, document.path, store.backend.value, choice, trans);
  let submitted: ISubmitted | null = null;
  const form = (
    <SubmitForm
      model={model}
      document={document}
      onClose={() => dialog.reject()}
      onSubmitted={accepted => {
        submitted = accepted;
        dialog.reject();
      }}
    />
  );
  const dialog = new FormDialog({
    title: trans.__('Submit a Notebook as a Job'),
    body: new FormBody(services, form),
    buttons: [],
    focusNodeSelector: 'input, select, button',
  });
  dialog.addClass('nb-Dialog');
  store.refreshBackends().catch(() => undefined); // the form tells what does not answer
  void model.load();
  await dialog.launch();
  remember(memory, document.path, model.state.value.choice);
  model.dispose();
  return submitted;
}
