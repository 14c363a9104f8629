import { expect, test } from 'vitest';
import { Attention } from '../src/attention';
import { EVERYTHING, matches } from '../src/jobs/filter';
import { moved } from '../src/jobs/list';
import { lookOf, lookOfRow, partsOf } from '../src/jobs/look';
import { appended, JobsModel, merge } from '../src/jobs/model';
import { stateOf } from '../src/jobs/row';
import type { IJobs, INews } from '../src/shapes';
import { Store } from '../src/store';
import { inWords, widths } from '../src/ui/strip';
import { scrolledTo, spanOf } from '../src/ui/window';
import { newsOf, row } from './rows';
import { TestServer } from './server';

test('a failure looks like the way it failed, an array that failed like a failure', () => {
  expect(lookOf('RUNNING', null)).toBe('RUNNING');
  expect(lookOf('FAILED', 'out of memory')).toBe('out of memory');
  expect(lookOf('FAILED', 'children failed')).toBe('exited');
});

test('parts of an array add up, with failures told apart as far as they are known', () => {
  const array = row('a', { counts: { SUCCEEDED: 5, FAILED: 4, RUNNABLE: 1 }, failures: { 'timed out': 3 } });
  expect(partsOf(array)).toEqual([
    { look: 'SUCCEEDED', count: 5 },
    { look: 'timed out', count: 3 },
    { look: 'exited', count: 1 },
    { look: 'RUNNABLE', count: 1 },
  ]);
  expect(inWords(partsOf(array))).toBe('5 SUCCEEDED, 3 timed out, 1 FAILED, 1 RUNNABLE');
});

test('more failures than the counts know of are not drawn', () => {
  const lagging = row('a', { counts: { FAILED: 1 }, failures: { 'timed out': 3 } });
  expect(partsOf(lagging)).toEqual([{ look: 'timed out', count: 1 }]);
});

test('one failure among ten thousand can be seen, and the strip is full', () => {
  const wide = widths([
    { look: 'SUCCEEDED', count: 9_999 },
    { look: 'exited', count: 1 },
  ]);
  expect(wide[1]).toBeGreaterThan(1);
  expect((wide[0] ?? 0) + (wide[1] ?? 0)).toBeCloseTo(100);
});

test('an array says how far it is until it has ended', () => {
  const array = row('a', { size: 1_000, counts: { SUCCEEDED: 7, FAILED: 1 } });
  expect(stateOf(array)).toBe('8 of 1,000 done');
  const going = { ...array, status: 'PENDING' as const, words: 'PENDING' };
  const running = { ...going, counts: { SUCCEEDED: 8, RUNNING: 2, RUNNABLE: 990 } };
  expect([stateOf(running), lookOfRow(running)]).toEqual(['8 of 1,000 done, 2 running', 'RUNNING']);
  expect(stateOf({ ...going, words: 'PENDING (cancel asked)' })).toBe('8 of 1,000 done, cancel asked');
  expect(lookOfRow(going)).toBe('PENDING');
  expect(stateOf({ ...array, status: 'FAILED', words: 'FAILED (8 of 1,000)' })).toBe('FAILED (8 of 1,000)');
});

test('a filter looks at state, way to fail, queue and text', () => {
  const failed = row('f', { status: 'FAILED', outcome: 'timed out', notebook: 'Report.ipynb' });
  expect(matches(EVERYTHING, failed)).toBe(true);
  expect(matches({ ...EVERYTHING, status: 'timed out' }, failed)).toBe(true);
  expect(matches({ ...EVERYTHING, status: 'active' }, failed)).toBe(false);
  expect(matches({ ...EVERYTHING, text: ' report' }, failed)).toBe(true);
  expect(matches({ ...EVERYTHING, queue: 'gpu' }, failed)).toBe(false);
});

test('changes are merged: new ones in their place, others where they were, away what no longer matches', () => {
  const had = [row('c', { created: 3 }), row('b', { created: 2 }), row('a', { created: 1 })];
  const active = { ...EVERYTHING, status: 'active' };
  const changed = [row('d', { created: 4 }), row('b', { created: 2, status: 'SUCCEEDED' })];
  expect(merge(had, changed, ['a'], active).map(({ id }) => id)).toEqual(['d', 'c']);
});

test('a job that moved between two pages stands once', () => {
  expect(appended([row('a'), row('b')], [row('b'), row('c')]).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});

test('what changes while a page is on its way is not overwritten by the page', async () => {
  const page: IJobs = {
    backend: 'local',
    jobs: [row('a')],
    token: '',
    cursor: 'c',
    gone: [],
    isReset: false,
    total: 1,
    isTotalExact: true,
    queues: ['default'],
  };
  const store = new Store(new TestServer(() => ({ body: page })).client, new Attention());
  const model = new JobsModel(store);
  const loading = model.reload();
  (store.news as unknown as { emit(news: INews): void }).emit(
    newsOf({ jobs: [row('a', { status: 'SUCCEEDED' }), row('b', { created: 5_000 })] }),
  );
  await loading;
  expect(model.state.value.rows.map(({ id, status }) => `${id} ${status}`)).toEqual([
    'b RUNNING',
    'a SUCCEEDED',
  ]);
  expect(model.state.value).toMatchObject({ phase: 'idle', hasMore: false, queues: ['default'] });
});

test('keys move within the list', () => {
  expect(moved('ArrowDown', -1, 5, 3)).toBe(0);
  expect(moved('ArrowDown', 4, 5, 3)).toBe(4);
  expect(moved('PageDown', 1, 5, 3)).toBe(4);
  expect(moved('End', 0, 5, 3)).toBe(4);
  expect(moved('x', 0, 5, 3)).toBe(-1);
});

test('of five thousand rows those on the screen are drawn, and a few around them', () => {
  expect(spanOf(54 * 1_000, 540, 54, 5_000)).toEqual({ first: 992, end: 1_018 });
  expect(spanOf(0, 540, 54, 3)).toEqual({ first: 0, end: 3 });
  expect(scrolledTo(10, 0, 540, 54)).toBe(54);
  expect(scrolledTo(2, 540, 540, 54)).toBe(108);
  expect(scrolledTo(12, 540, 540, 54)).toBe(540);
});
