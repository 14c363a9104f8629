/** Insert, of the launcher in a notebook: the line that its form hands over becomes a cell below the form's own. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';

/** What `nbbatch/jupyter/launcher/handover.js` sends; who takes it calls preventDefault. */
export const INSERT = 'nbbatch:insert-cell';

export const launcher: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:launcher',
  description: 'Inserts the line of a launcher into a cell below it.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_app: JupyterFrontEnd, notebooks: INotebookTracker): void => {
    document.addEventListener(INSERT, event => insert(notebooks, event));
  },
};

function insert(notebooks: INotebookTracker, event: Event): void {
  const source: unknown = event instanceof CustomEvent ? event.detail?.source : undefined;
  const target = event.target;
  if (typeof source !== 'string' || !(target instanceof Node)) {
    return;
  }
  const content = notebooks.find(panel => panel.node.contains(target))?.content;
  const index = content?.widgets.findIndex(cell => cell.node.contains(target)) ?? -1;
  if (!content || index < 0) {
    return;
  }
  content.activeCellIndex = index;
  NotebookActions.insertBelow(content);
  content.activeCell?.model.sharedModel.setSource(source);
  event.preventDefault();
}
