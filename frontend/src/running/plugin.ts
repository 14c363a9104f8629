/** The plugin that adds jobs to JupyterLab's panel of running things. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISidebar } from '../sidebar';
import { RunningJobs } from './manager';

export const running: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:running',
  description: 'Jobs that have not ended, among the running kernels and terminals.',
  autoStart: true,
  requires: [ISidebar],
  optional: [IRunningSessionManagers],
  activate: (_: JupyterFrontEnd, { services }: ISidebar, managers: IRunningSessionManagers | null): void => {
    managers?.add(new RunningJobs(services));
  },
};
