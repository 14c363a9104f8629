/** The plugin of the costs' section. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISidebar } from '../sidebar';
import { CostsSection } from './section';

export const costs: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:costs',
  description: 'What jobs cost today and in the last days.',
  autoStart: true,
  requires: [ISidebar],
  activate: (_: JupyterFrontEnd, sidebar: ISidebar): void => {
    const label = sidebar.services.trans.__('Costs');
    sidebar.add({ id: 'costs', label, rank: 30, component: CostsSection });
  },
};
