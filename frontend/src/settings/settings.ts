/** The user's settings (schema/sidebar.json) as one value that changes while the page is open. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type IObservable, Observable } from '../observable';

/** Of which jobs that end a notification tells. */
export type NotifyPolicy = 'all' | 'failed' | 'none';
/** What the list of jobs may tell beside name and state. */
export type Column = 'elapsed' | 'age' | 'queue' | 'cost' | 'id';

export interface ISettings {
  /** Name of the backend that is shown first; empty for the server's default one. */
  readonly backend: string;
  readonly refreshSeconds: number;
  readonly notify: NotifyPolicy;
  readonly notifyBrowser: boolean;
  /** 0: until it is dismissed. */
  readonly notifySeconds: number;
  /** Whether stopping a job wants a second click. */
  readonly confirm: boolean;
  readonly columns: readonly Column[];
}

/** What holds without a settings registry; a test compares it with the schema. */
export const DEFAULTS: ISettings = {
  backend: '',
  refreshSeconds: 3,
  notify: 'all',
  notifyBrowser: false,
  notifySeconds: 8,
  confirm: true,
  columns: ['elapsed', 'age', 'queue', 'cost'],
};

/**
 * The settings of a plugin, followed: the defaults until they are `ready`, and where there is no registry
 * or it cannot be read. Nobody waits for them to be activated, for the server may take its time.
 */
export function followSettings(
  registry: ISettingRegistry | null,
  plugin: string,
): { settings: IObservable<ISettings>; ready: Promise<void> } {
  const followed = new Observable(DEFAULTS);
  const read = async () => {
    const settings = await registry?.load(plugin);
    const update = () => followed.set({ ...DEFAULTS, ...(settings?.composite as Partial<ISettings>) });
    settings?.changed.connect(update);
    update();
  };
  const ready = read().catch(error =>
    console.warn(`The settings of ${plugin} cannot be read; the defaults hold.`, error),
  );
  return { settings: followed, ready };
}
