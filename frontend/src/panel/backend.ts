/**
 * Which backend is looked at: the one that was chosen in the panel, for as long as the setting is what
 * it was then, else the setting's. One that is configured no more is left for the server's default.
 */

import type { Memory } from '../memory';
import type { IObservable } from '../observable';
import type { ISettings } from '../settings/settings';
import type { Store } from '../store';

const KEY = 'chosen';

/** What is kept: the choice, and the setting that it differed from. */
type Kept = { chosen: string; setting: string };

export interface IWhere {
  readonly store: Store;
  readonly memory: Memory;
  readonly settings: IObservable<ISettings>;
}

interface IBeginning extends IWhere {
  /** The settings were read. */
  readonly ready: Promise<void>;
}

/** Look at another backend, and remember it. */
export function chooseBackend({ store, memory, settings }: IWhere, chosen: string): void {
  const kept: Kept = { chosen, setting: settings.value.backend };
  memory.set(KEY, kept);
  store.choose(chosen);
}

/** Begin with what was chosen the last time, once that and the settings were read; follow the setting from then on. */
export async function followBackend({ store, memory, settings, ready }: IBeginning): Promise<void> {
  await Promise.all([memory.ready, ready]);
  let setting = settings.value.backend;
  const kept = memory.get<Kept>(KEY, { chosen: setting, setting });
  store.choose(kept.setting === setting ? kept.chosen : setting);
  settings.subscribe(() => {
    if (settings.value.backend !== setting) {
      setting = settings.value.backend;
      store.choose(setting);
    }
  });
  store.backends.subscribe(() => {
    const { backends } = store.backends.value ?? { backends: [] };
    const isKnown = backends.some(({ name }) => name === store.backend.value);
    if (backends.length > 0 && store.backend.value !== '' && !isKnown) {
      store.choose('');
    }
  });
}
