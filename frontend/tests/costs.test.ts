import { expect, test } from 'vitest';
import { budgetShare, byName, byQueue, capOf, daysOf, savedShare, sumOf } from '../src/costs/model';
import type { ICosts, IQueueCost } from '../src/shapes';

function row(day: string, queue: string, charged: number): IQueueCost {
  const none = { submitted: 1, succeeded: 1, failed: 0, seconds: 1, cpuSeconds: 1, lost: 0, saved: 0 };
  return { day, queue, charged, onDemand: charged, attempts: 2, ...none };
}

const costs: ICosts = {
  backend: 'local',
  today: '2026-03-02',
  charged: 3,
  onDemand: 4,
  saved: 1,
  lost: 0,
  idle: 0,
  queues: [row('2026-02-27', 'spot', 6), row('2026-03-02', 'default', 1), row('2026-03-02', 'spot', 2)],
  environments: [],
  names: [
    { name: 'train', jobs: 2, onDemand: 3, spot: 1, lost: 0 },
    { name: 'old', jobs: 1, onDemand: 9, spot: 3, lost: 0 },
  ],
  namedJobs: 3,
  isNamedExact: true,
  budget: null,
};

test('the week ends today, has seven days over the end of a month, and its highest bar is full', () => {
  const days = daysOf(costs);
  expect(days.map(day => day.day)).toEqual([
    '2026-02-24',
    '2026-02-25',
    '2026-02-26',
    '2026-02-27',
    '2026-02-28',
    '2026-03-01',
    '2026-03-02',
  ]);
  expect(days[3]).toMatchObject({ charged: 6, share: 1, isToday: false });
  expect(days[6]).toMatchObject({ charged: 3, share: 0.5, isToday: true });
  expect(sumOf(days)).toBe(9);
});

test('queues are ranked by cost, of today or of the week', () => {
  expect(byQueue(costs, 1).map(share => [share.name, share.charged])).toEqual([
    ['spot', 2],
    ['default', 1],
  ]);
  expect(byQueue(costs, 7)[0]).toMatchObject({ name: 'spot', charged: 8, jobs: 4 });
});

test('names are ranked by what the server says that their jobs cost', () => {
  expect(byName(costs)).toEqual([
    { name: 'old', charged: 9, jobs: 1, share: 0.75 },
    { name: 'train', charged: 3, jobs: 2, share: 0.25 },
  ]);
});

test('Spot’s saving is a share of On-Demand, and none where nothing ran', () => {
  expect(savedShare(costs)).toBe(0.25);
  expect(savedShare({ ...costs, onDemand: 0, saved: 0 })).toBeNull();
});

test('a budget is dollars above nothing, or none', () => {
  expect([capOf('$2.5'), capOf(' '), capOf('0'), capOf('much')]).toEqual([2.5, null, undefined, undefined]);
  expect(budgetShare({ spentToday: 3, perDay: 2, isSpent: true })).toBe(1);
  expect(budgetShare({ spentToday: 3, perDay: null, isSpent: false })).toBeNull();
});
