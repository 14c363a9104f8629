import type { IStateDB } from '@jupyterlab/statedb';
import { expect, test } from 'vitest';
import { Attention } from '../src/attention';
import { Memory } from '../src/memory';
import { Observable } from '../src/observable';
import { chooseBackend, followBackend } from '../src/panel/backend';
import { DEFAULTS } from '../src/settings/settings';
import { Store } from '../src/store';
import { TestServer } from './server';

const BACKENDS = { backends: [{ name: 'local' }, { name: 'prod' }], default: 'local' };

function setUp(backend: string, kept: Record<string, unknown> = {}) {
  const saved = new Map(Object.entries(kept));
  const database = {
    fetch: (key: string) => Promise.resolve(saved.get(key)),
    save: (key: string, value: unknown) => Promise.resolve(void saved.set(key, value)),
  } as unknown as IStateDB;
  const settings = new Observable({ ...DEFAULTS, backend });
  const server = new TestServer(() => ({ body: BACKENDS }));
  const store = new Store(server.client, new Attention(), backend);
  const where = {
    store,
    memory: new Memory(database, Promise.resolve()),
    settings,
    ready: Promise.resolve(),
  };
  return { where, saved: () => Object.fromEntries(saved) };
}

test('a setting that changes holds at once, also over what was chosen before', async () => {
  const { where } = setUp('prod');
  await followBackend(where);
  chooseBackend(where, 'local');
  expect(where.store.backend.value).toBe('local');
  where.settings.set({ ...DEFAULTS, backend: 'dev' });
  expect(where.store.backend.value).toBe('dev');
});

test('what was chosen is there after a reload, unless the setting has changed meanwhile', async () => {
  const { where, saved } = setUp('');
  await followBackend(where);
  chooseBackend(where, 'prod');
  await Promise.resolve();
  const again = setUp('', saved());
  await followBackend(again.where);
  expect(again.where.store.backend.value).toBe('prod');
  const other = setUp('local', saved());
  await followBackend(other.where);
  expect(other.where.store.backend.value).toBe('local');
});

test('a backend that is configured no more is left for the default one', async () => {
  const { where } = setUp('gone');
  await followBackend(where);
  await where.store.refreshBackends();
  expect(where.store.backend.value).toBe('');
});
