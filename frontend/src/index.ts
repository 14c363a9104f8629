/** All plugins of the extension. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { sidebar } from './plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [sidebar];

export default plugins;
