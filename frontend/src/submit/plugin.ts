/** The plugin that submits notebooks: from the notebook's toolbar, the palette, menus and file browser. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { Commands } from '../commands';
import { submitIcon } from '../icons';
import type { IServices } from '../services';
import type { ISubmitted } from '../shapes';
import { ISidebar } from '../sidebar';
import { askToSubmit } from './dialog';
import { documentAt, documentInFront, type IDocument } from './document';

export const submit: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:submit',
  description: 'Submits notebooks as jobs, with a form for their parameters and options.',
  autoStart: true,
  requires: [ISidebar],
  optional: [ICommandPalette, IFileBrowserFactory],
  activate: (
    app: JupyterFrontEnd,
    { services }: ISidebar,
    palette: ICommandPalette | null,
    browsers: IFileBrowserFactory | null,
  ): void => {
    const { trans, notebooks } = services;
    const run = async (document: IDocument | null) => document && (await submitWithForm(services, document));
    app.commands.addCommand(Commands.submitNotebook, {
      label: trans.__('Submit Notebook as a Job…'),
      caption: trans.__('Run this notebook as a job of AWS Batch, here or in the cloud'),
      icon: submitIcon,
      describedBy: { args: { type: 'object', properties: { path: { type: 'string' } } } },
      isEnabled: ({ path }) => typeof path === 'string' || documentInFront(services) !== null,
      execute: ({ path }) =>
        run(typeof path === 'string' ? documentAt(services, path) : documentInFront(services)),
    });
    notebooks?.currentChanged.connect(() => app.commands.notifyCommandChanged(Commands.submitNotebook));
    app.commands.addCommand(Commands.submitFile, {
      label: trans.__('Submit as a Job…'),
      icon: submitIcon,
      describedBy: { args: {} },
      isVisible: () => selectedNotebook(browsers) !== null,
      execute: () => {
        const path = selectedNotebook(browsers);
        return run(path === null ? null : documentAt(services, path));
      },
    });
    palette?.addItem({ command: Commands.submitNotebook, category: 'nbbatch' });
  },
};

/** Path of the one notebook that is selected in the file browser; null where it is none or several. */
function selectedNotebook(browsers: IFileBrowserFactory | null): string | null {
  const selected = [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
  const [item] = selected;
  return selected.length === 1 && item?.type === 'notebook' ? item.path : null;
}

async function submitWithForm(services: IServices, document: IDocument): Promise<void> {
  const submitted = await askToSubmit(services, document);
  if (submitted) {
    tell(services, submitted);
    const { store, app } = services;
    if (submitted.backend !== (store.backend.value || store.backends.value?.default)) {
      store.choose(submitted.backend);
    }
    await app.commands.execute(Commands.showJobs, { select: submitted.job.id });
  }
}

/** Say what was submitted, with the lines that would have done the same. */
function tell({ trans }: IServices, { job, code, warnings }: ISubmitted): void {
  const copy = {
    label: trans.__('Copy the code'),
    caption: trans.__('The Python lines that would have submitted the same'),
    callback: () => void navigator.clipboard.writeText(code),
  };
  Notification.success(trans.__('%1 is submitted.', job.name), { autoClose: 6_000, actions: [copy] });
  for (const warning of warnings) {
    Notification.warning(warning, { autoClose: 10_000 });
  }
}
