/** The plugin that makes the sidebar; others add their sections to it. */

import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Client } from './api';
import { Attention } from './attention';
import { Commands } from './commands';
import { sidebarIcon } from './icons';
import { Memory } from './memory';
import { followBackend } from './panel/backend';
import { SidebarPanel } from './panel/panel';
import type { IServices } from './services';
import { followSettings } from './settings/settings';
import { ISidebar } from './sidebar';
import { Store } from './store';

const RANK = 550;
const ID = 'nbbatch:sidebar';

export const sidebar: JupyterFrontEndPlugin<ISidebar> = {
  id: ID,
  description: 'The sidebar of nbbatch: jobs, queues, costs and notebooks to submit.',
  autoStart: true,
  provides: ISidebar,
  requires: [IRenderMimeRegistry, IDocumentManager],
  optional: [
    INotebookTracker,
    IStateDB,
    ICommandPalette,
    ILayoutRestorer,
    ISettingRegistry,
    ITranslator,
    ILabShell,
  ],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    documents: IDocumentManager,
    notebooks: INotebookTracker | null,
    database: IStateDB | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
  ): ISidebar => {
    const memory = new Memory(database, app.restored);
    const { settings, ready } = followSettings(registry, ID);
    const trans = (translator ?? nullTranslator).load('nbbatch');
    const store = new Store(new Client(app.serviceManager.serverSettings), new Attention());
    void followBackend({ store, memory, settings, ready });
    const services: IServices = { app, store, memory, rendermime, documents, notebooks, settings, trans };
    const panel = new SidebarPanel(services);
    panel.title.icon = sidebarIcon;
    panel.title.caption = 'nbbatch: jobs, queues, costs';
    app.shell.add(panel, 'left', { rank: RANK, type: 'nbbatch' });
    restorer?.add(panel, panel.id);
    addCommands(app, panel, palette);
    return panel;
  },
};

function addCommands(app: JupyterFrontEnd, panel: SidebarPanel, palette: ICommandPalette | null): void {
  const { trans } = panel.services;
  app.commands.addCommand(Commands.open, {
    label: trans.__('Show Jobs, Queues and Costs'),
    caption: trans.__('Open the sidebar of nbbatch'),
    describedBy: { args: { type: 'object', properties: { section: { type: 'string' } } } },
    execute: ({ section }) => panel.open(typeof section === 'string' ? section : ''),
  });
  app.commands.addCommand(Commands.refresh, {
    label: trans.__('Refresh Jobs'),
    describedBy: { args: {} },
    execute: () => panel.services.store.retry(),
  });
  for (const command of [Commands.open, Commands.refresh]) {
    palette?.addItem({ command, category: 'nbbatch' });
  }
}
