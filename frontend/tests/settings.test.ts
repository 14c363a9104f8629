import { readFileSync } from 'node:fs';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';
import { expect, test } from 'vitest';
import { DEFAULTS, followSettings } from '../src/settings/settings';

const schema = JSON.parse(readFileSync('schema/sidebar.json', 'utf-8'));

test('what holds without a registry is what the schema says', () => {
  const defaults = Object.entries<{ default: unknown }>(schema.properties).map(
    ([name, { default: value }]) => [name, value],
  );
  expect(Object.fromEntries(defaults)).toEqual(DEFAULTS);
});

test('a setting that changes holds at once, and the others keep their defaults', async () => {
  const settings = { composite: {} as object, changed: null as unknown };
  const changed = new Signal<typeof settings, void>(settings);
  settings.changed = changed;
  const registry = { load: () => Promise.resolve(settings) } as unknown as ISettingRegistry;
  const followed = await followSettings(registry, 'nbbatch:sidebar');
  settings.composite = { confirm: false };
  changed.emit();
  expect(followed.value).toEqual({ ...DEFAULTS, confirm: false });
});
