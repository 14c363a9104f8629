import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';
import { expect, test } from 'vitest';
import schema from '../schema/sidebar.json';
import { DEFAULTS, followSettings } from '../src/settings/settings';

test('what holds without a registry is what the schema says', () => {
  const defaults = Object.entries(schema.properties).map(([name, { default: value }]) => [name, value]);
  expect(Object.fromEntries(defaults)).toEqual(DEFAULTS);
});

test('a setting that changes holds at once, and the others keep their defaults', async () => {
  const settings = { composite: {} as object, changed: null as unknown };
  const changed = new Signal<typeof settings, void>(settings);
  settings.changed = changed;
  const registry = { load: () => Promise.resolve(settings) } as unknown as ISettingRegistry;
  const { settings: followed, ready } = followSettings(registry, 'nbbatch:sidebar');
  expect(followed.value).toEqual(DEFAULTS);
  await ready;
  settings.composite = { confirm: false };
  changed.emit();
  expect(followed.value).toEqual({ ...DEFAULTS, confirm: false });
});
