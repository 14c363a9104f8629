/** All plugins of the extension. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { jobs } from './jobs/plugin';
import { launcher } from './launcher';
import { sidebar } from './plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [sidebar, jobs, launcher];

export default plugins;
