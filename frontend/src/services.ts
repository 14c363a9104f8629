/** What every section, command and document of ours is given, and how a component gets at it. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Memory } from './memory';
import type { IObservable } from './observable';
import type { ISettings } from './settings/settings';
import type { Store } from './store';

export interface IServices {
  readonly app: JupyterFrontEnd;
  readonly store: Store;
  readonly memory: Memory;
  readonly rendermime: IRenderMimeRegistry;
  readonly documents: IDocumentManager;
  /** The open notebooks; null where the application has none. */
  readonly notebooks: INotebookTracker | null;
  readonly settings: IObservable<ISettings>;
  /** Texts in the user's language. */
  readonly trans: TranslationBundle;
}

const Context = React.createContext<IServices | null>(null);

export const ServicesProvider = Context.Provider;

/** The services, in a component below the panel or one of our documents. */
export function useServices(): IServices {
  const services = React.useContext(Context);
  if (!services) {
    throw new Error('A component of nbbatch stands outside its panel.');
  }
  return services;
}
