/** All plugins of the extension. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { jobs } from './jobs/plugin';
import { sidebar } from './plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [sidebar, jobs];

export default plugins;
