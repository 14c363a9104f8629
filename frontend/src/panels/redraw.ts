/** Where a panel stands among the outputs of a cell, and drawing it anew there. */

import type { IMimeBundle } from '@jupyterlab/nbformat';
import type { IOutputAreaModel } from '@jupyterlab/outputarea';

/** What a panel shows: its frame, and below its buttons a figure where that has changed. */
export interface IRedrawn {
  readonly panel: string;
  readonly frame: IMimeBundle;
  readonly figure: IMimeBundle | null;
}

/** Put a panel's frame and figure where they stand among these outputs; whether the panel is among them. */
export function redraw(outputs: IOutputAreaModel, { panel, frame, figure }: IRedrawn): boolean {
  const at = indexOf(outputs, `data-nbbatch-of="${panel}"`);
  if (at < 0) {
    return false;
  }
  put(outputs, at, frame);
  const buttons = indexOf(outputs, `data-nbbatch-buttons="${panel}"`);
  if (figure && buttons >= 0 && buttons + 1 < outputs.length) {
    put(outputs, buttons + 1, { 'text/html': '' }); // plotly's renderer does not draw a second figure over the first
    put(outputs, buttons + 1, figure);
  }
  return true;
}

function indexOf(outputs: IOutputAreaModel, mark: string): number {
  for (let at = 0; at < outputs.length; at++) {
    if (String(outputs.get(at).data['text/html'] ?? '').includes(mark)) {
      return at;
    }
  }
  return -1;
}

function put(outputs: IOutputAreaModel, at: number, data: IMimeBundle): void {
  outputs.set(at, { ...outputs.get(at).toJSON(), data });
}
