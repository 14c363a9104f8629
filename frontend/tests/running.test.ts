import { Signal } from '@lumino/signaling';
import { expect, test } from 'vitest';
import { RunningJobs } from '../src/running/manager';
import type { IServices } from '../src/services';
import type { IJobRow, INews } from '../src/shapes';
import { newsOf } from './rows';
import { trans } from './words';

function row(id: string, given: Partial<IJobRow> = {}): IJobRow {
  return {
    id,
    name: id,
    queue: 'q',
    status: 'RUNNING',
    words: 'RUNNING',
    created: 1,
    canCancel: false,
    ...given,
  } as IJobRow;
}

/** A server with these jobs, which counts what it is told. */
function server(jobs: IJobRow[]) {
  const source = {};
  const news = new Signal<object, INews>(source);
  const told: string[] = [];
  const asked: string[] = [];
  const store = {
    news,
    connection: { value: { kind: 'live' } },
    ask: (route: string, { id = '' } = {}) => {
      asked.push(`${route} ${id}`.trim());
      return Promise.resolve({ jobs });
    },
  };
  const app = { commands: { execute: (command: string) => told.push(command) } };
  const running = new RunningJobs({ store, app, trans } as unknown as IServices);
  const tell = (given: Partial<INews>) => news.emit(newsOf(given));
  return { running, tell, told, asked };
}

const ids = (running: RunningJobs) => running.running().map(item => item.context);
const settled = () => new Promise(resolve => setTimeout(resolve));

test('jobs are asked for once somebody lists them, then the news keep them, newest first', async () => {
  const { running, tell, asked } = server([row('a', { created: 1 })]);
  expect(asked).toEqual([]);
  expect(ids(running)).toEqual([]);
  await settled();
  tell({ jobs: [row('b', { created: 2 })] });
  expect(ids(running)).toEqual(['b', 'a']);
  tell({ jobs: [row('a', { status: 'SUCCEEDED' })], gone: ['b'] });
  expect(ids(running)).toEqual([]);
  expect(asked).toEqual(['GET jobs']);
});

test('shutting one down runs the command that asks first: cancel while it waits, else terminate', async () => {
  const { running, told } = server([row('a', { created: 2 }), row('b', { canCancel: true })]);
  running.running();
  await settled();
  const items = running.running();
  expect(items.map(running.shutdownLabel)).toEqual(['Terminate', 'Cancel']);
  for (const item of items) {
    item.shutdown?.();
  }
  expect(told).toEqual(['nbbatch:terminate-job', 'nbbatch:cancel-job']);
});

test('shutting all down asks nothing more and stops each in its own way', async () => {
  const { running, asked } = server([row('a'), row('b', { canCancel: true })]);
  running.running();
  await settled();
  running.shutdownAll();
  expect(asked).toEqual(['GET jobs', 'POST jobs/{id}/terminate a', 'POST jobs/{id}/cancel b']);
});
