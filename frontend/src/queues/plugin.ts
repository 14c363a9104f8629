/** The plugin of the queues' section. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISidebar } from '../sidebar';
import { QueuesSection } from './section';

export const queues: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:queues',
  description: 'The queues, what waits in them and why, and the vCPUs behind them.',
  autoStart: true,
  requires: [ISidebar],
  activate: (_: JupyterFrontEnd, sidebar: ISidebar): void => {
    const label = sidebar.services.trans.__('Queues');
    sidebar.add({ id: 'queues', label, rank: 20, component: QueuesSection });
  },
};
