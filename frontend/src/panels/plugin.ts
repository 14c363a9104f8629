/**
 * A panel in a page that was loaded again, where its displays lead nowhere any more: its kernel sends what
 * they would show, which becomes the cell's outputs here, so that it is on the page and is saved, too.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { CodeCell } from '@jupyterlab/cells';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { IOutputAreaModel } from '@jupyterlab/outputarea';
import { redraw } from './redraw';

/** What `nbbatch/jupyter/panels/controls.js` sends; who takes it calls preventDefault. */
export const REDRAW = 'nbbatch:redraw-panel';

export const panels: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:panels',
  description: 'Keeps panels true in a page that was loaded again.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_app: JupyterFrontEnd, notebooks: INotebookTracker): void => {
    document.addEventListener(REDRAW, event => {
      const outputs = outputsAround(notebooks, event.target);
      if (outputs && event instanceof CustomEvent && redraw(outputs, event.detail)) {
        event.preventDefault();
      }
    });
  },
};

/** The outputs of the cell in which something of the page stands. */
function outputsAround(
  notebooks: INotebookTracker,
  target: EventTarget | null,
): IOutputAreaModel | undefined {
  if (!(target instanceof Node)) {
    return undefined;
  }
  const content = notebooks.find(panel => panel.node.contains(target))?.content;
  const cell = content?.widgets.find(({ node }) => node.contains(target));
  return cell?.model.type === 'code' ? (cell as CodeCell).model.outputs : undefined;
}
