/** All plugins of the extension. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { costs } from './costs/plugin';
import { jobs } from './jobs/plugin';
import { launcher } from './launcher';
import { notifications } from './notifications/plugin';
import { panels } from './panels/plugin';
import { sidebar } from './plugin';
import { queues } from './queues/plugin';
import { running } from './running/plugin';
import { submit } from './submit/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  sidebar,
  jobs,
  launcher,
  panels,
  queues,
  costs,
  submit,
  notifications,
  running,
];

export default plugins;
