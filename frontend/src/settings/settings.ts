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

/** The settings of a plugin, followed; the defaults where there is no registry or it cannot be read. */
export async function followSettings(
  registry: ISettingRegistry | null,
  plugin: string,
): Promise<IObservable<ISettings>> {
  const followed = new Observable(DEFAULTS);
  try {
    const settings = await registry?.load(plugin);
    const update = () => followed.set({ ...DEFAULTS, ...(settings?.composite as Partial<ISettings>) });
    settings?.changed.connect(update);
    update();
  } catch (error) {
    console.warn(`The settings of ${plugin} cannot be read; the defaults hold.`, error);
  }
  return followed;
}
