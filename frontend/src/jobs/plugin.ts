/** The plugin of jobs: the section, the commands, and the documents for details and logs. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { Commands } from '../commands';
import { Documents } from '../documents';
import { ISidebar } from '../sidebar';
import { addJobCommands } from './commands';
import { EVERYTHING, type IFilter, isEverything } from './filter';
import { JobsModel } from './model';
import { jobsSection } from './section';

export const jobs: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:jobs',
  description: 'The list of jobs, their details and their logs.',
  autoStart: true,
  requires: [ISidebar],
  optional: [ICommandPalette, ILayoutRestorer],
  activate: (
    _: JupyterFrontEnd,
    sidebar: ISidebar,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
  ): void => {
    const { services } = sidebar;
    const { trans, memory, store } = services;
    const model = new JobsModel(store);
    void memory.ready.then(() => {
      const kept = { ...EVERYTHING, ...memory.get<Partial<Record<keyof IFilter, string>>>('filter', {}) };
      if (!isEverything(kept)) {
        model.show(kept);
      }
    });
    const documents = new Documents(services);
    addJobCommands(services, model, documents, palette);
    documents.restore(restorer, { detail: Commands.openJob, log: Commands.openLog });
    sidebar.add({ id: 'jobs', label: trans.__('Jobs'), rank: 10, component: jobsSection(model) });
  },
};
