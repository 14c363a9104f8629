import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Attention } from '../src/attention';
import type { INews } from '../src/shapes';
import { Store } from '../src/store';
import { newsOf } from './rows';
import { type Answer, TestServer } from './server';

const NEWS = newsOf({ backend: 'local', cursor: 'c1', isReset: true });
const DOWN: Answer = { status: 503, body: { message: 'Down.', cure: '', field: '', reason: '' } };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(answer: (asked: string) => Answer) {
  const server = new TestServer(answer);
  const attention = new Attention();
  return { server, attention, store: new Store(server.client, attention) };
}

test('nothing is asked while nobody looks, and the question ends when they look away', async () => {
  const { server, attention, store } = setUp(asked => (asked.includes('cursor') ? 'never' : { body: NEWS }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.asked).toEqual([]);
  const looking = attention.look();
  await vi.advanceTimersByTimeAsync(10);
  expect(server.asked).toEqual(['GET news?wait=0', 'GET news?cursor=c1&wait=20']);
  expect(store.connection.value.kind).toBe('live');
  looking.dispose();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.asked).toHaveLength(2);
  store.dispose();
});

test('after failures it waits longer each time, and a retry asks at once', async () => {
  let answer: Answer = DOWN;
  const { server, attention, store } = setUp(asked => (asked.includes('cursor') ? 'never' : answer));
  attention.look();
  await vi.advanceTimersByTimeAsync(7_500);
  expect(server.asked).toHaveLength(4); // at 0, 1, 3 and 7 seconds
  expect(store.connection.value).toMatchObject({ kind: 'down', error: { message: 'Down.' } });
  answer = { body: NEWS };
  store.retry();
  await vi.advanceTimersByTimeAsync(10);
  expect(store.connection.value.kind).toBe('live');
  store.dispose();
});

test('a daemon that does not run is an answer, asked for ever more seldom, and its start is noticed', async () => {
  let news: INews = { ...NEWS, isReset: false, noDaemon: 'No daemon runs yet.' };
  const { server, attention, store } = setUp(asked => (asked.includes('wait=20') ? 'never' : { body: news }));
  const heard = vi.fn();
  store.news.connect(heard);
  attention.look();
  await vi.advanceTimersByTimeAsync(7_500);
  expect(server.asked).toHaveLength(4);
  expect(store.connection.value).toMatchObject({
    kind: 'down',
    error: { message: 'No daemon runs yet.', reason: 'NoDaemon' },
  });
  expect(heard).not.toHaveBeenCalled();
  news = NEWS;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(store.connection.value.kind).toBe('live');
  expect(heard).toHaveBeenCalledOnce();
  store.dispose();
});

test('who only listens is told now and then', async () => {
  const { server, attention, store } = setUp(() => ({ body: { ...NEWS, isReset: false } }));
  attention.listen();
  await vi.advanceTimersByTimeAsync(7_000);
  expect(server.asked).toHaveLength(3);
  expect(server.asked.every(asked => asked.includes('hidden=1'))).toBe(true);
  store.dispose();
});

test('another backend is asked from the beginning', async () => {
  const { server, attention, store } = setUp(asked => (asked.includes('cursor') ? 'never' : { body: NEWS }));
  attention.look();
  await vi.advanceTimersByTimeAsync(10);
  store.choose('aws');
  await vi.advanceTimersByTimeAsync(10);
  expect(server.asked.slice(2)).toEqual([
    'GET news?backend=aws&wait=0',
    'GET news?backend=aws&cursor=c1&wait=20',
  ]);
  store.dispose();
});

test('a server that never answers counts as down, and is asked again', async () => {
  const { attention, store } = setUp(() => 'never');
  attention.look();
  await vi.advanceTimersByTimeAsync(121_000);
  expect(store.connection.value).toMatchObject({
    kind: 'down',
    error: { message: 'The Jupyter server does not answer.' },
  });
  store.dispose();
});

test('after a sleep of the machine it asks at once, whatever was on its way', async () => {
  const { server, attention, store } = setUp(asked => (asked.includes('cursor') ? 'never' : { body: NEWS }));
  attention.look();
  await vi.advanceTimersByTimeAsync(10);
  expect(server.asked).toHaveLength(2);
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(5_100);
  expect(server.asked).toEqual([...server.asked.slice(0, 2), 'GET news?cursor=c1&wait=20']);
  store.dispose();
});
