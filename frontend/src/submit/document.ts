/** The notebook that is to be submitted: a file, and what is open of it with unsaved changes. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IServices } from '../services';
import type { IMetadata } from './remember';

type Context = NotebookPanel['context'];

export interface IDocument {
  /** From the server's root. */
  readonly path: string;
  /** The open notebook; null where only its file is meant. */
  readonly context: Context | null;
}

/** A file of the server, with what is open of it. */
export function documentAt(services: IServices, path: string): IDocument {
  const widget = services.documents.findWidget(path, 'Notebook');
  const context = widget ? services.documents.contextForWidget(widget) : undefined;
  return {
    path: services.app.serviceManager.contents.localPath(path),
    context: (context as Context | undefined) ?? null,
  };
}

/** The notebook in front; null where there is none. */
export function documentInFront(services: IServices): IDocument | null {
  const context = services.notebooks?.currentWidget?.context;
  return context ? { path: services.app.serviceManager.contents.localPath(context.path), context } : null;
}

/** Whether what would run is not what is seen. */
export function isUnsaved({ context }: IDocument): boolean {
  return context?.model.dirty ?? false;
}

/** Its metadata, while it is open. */
export function metadataOf({ context }: IDocument): IMetadata | null {
  return context?.model ?? null;
}
