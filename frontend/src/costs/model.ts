/** Money by day, queue and name, from the server's rows. Pure. */

import type { IBudget, ICosts } from '../shapes';

/** Days (UTC) that the chart shows. */
export const DAYS = 7;

/** A bar of the chart. */
export interface IDay {
  /** `2026-01-31`, UTC. */
  readonly day: string;
  readonly charged: number;
  /** Of the highest bar, from 0 to 1. */
  readonly share: number;
  readonly isToday: boolean;
}

/** What one queue or name cost. */
export interface IShare {
  readonly name: string;
  readonly charged: number;
  /** Jobs and children of arrays. */
  readonly jobs: number;
  /** Of all of them, from 0 to 1. */
  readonly share: number;
}

const DAY = 86_400_000;

/** The last days, today last, those without cost too. */
export function daysOf(costs: ICosts): IDay[] {
  const end = Date.parse(`${costs.today}T00:00:00Z`);
  const days = Array.from({ length: DAYS }, (_, index) => isoDay(end - (DAYS - 1 - index) * DAY));
  const sums = new Map(days.map(day => [day, 0]));
  for (const row of costs.queues) {
    sums.set(row.day, (sums.get(row.day) ?? 0) + row.charged);
  }
  const charged = days.map(day => sums.get(day) ?? 0);
  const highest = Math.max(...charged);
  return days.map((day, index) => ({
    day,
    charged: charged[index] ?? 0,
    share: highest > 0 ? (charged[index] ?? 0) / highest : 0,
    isToday: day === costs.today,
  }));
}

/** What all these days cost. */
export function sumOf(days: readonly IDay[]): number {
  return days.reduce((sum, day) => sum + day.charged, 0);
}

/** Queues by cost, the most expensive first; those without jobs left out. */
export function byQueue(costs: ICosts, days: 1 | typeof DAYS): IShare[] {
  const rows = costs.queues.filter(row => days === DAYS || row.day === costs.today);
  return ranked(rows.map(row => ({ name: row.queue, charged: row.charged, jobs: row.attempts })));
}

/** Jobs' names by what their jobs cost at On-Demand prices. */
export function byName(costs: ICosts): IShare[] {
  return ranked(costs.names.map(({ name, onDemand, jobs }) => ({ name, charged: onDemand, jobs })));
}

/** The share that Spot saves against On-Demand, from 0 to 1; null where nothing was spent. */
export function savedShare(costs: ICosts): number | null {
  return costs.onDemand > 0 && costs.saved > 0 ? costs.saved / costs.onDemand : null;
}

/** How much of the day's cap is used, from 0 to 1; null without one. */
export function budgetShare({ perDay, spentToday }: IBudget): number | null {
  return perDay ? Math.min(1, spentToday / perDay) : null;
}

/** A day's cap as typed: dollars above 0, null for none; undefined where it is neither. */
export function capOf(text: string): number | null | undefined {
  const given = text.trim().replace(/^\$/, '');
  const dollars = Number(given);
  return given === '' ? null : dollars > 0 && Number.isFinite(dollars) ? dollars : undefined;
}

function ranked(rows: readonly { name: string; charged: number; jobs: number }[]): IShare[] {
  const sums = new Map<string, { charged: number; jobs: number }>();
  for (const { name, charged, jobs } of rows) {
    const before = sums.get(name) ?? { charged: 0, jobs: 0 };
    sums.set(name, { charged: before.charged + charged, jobs: before.jobs + jobs });
  }
  const total = [...sums.values()].reduce((sum, one) => sum + one.charged, 0);
  return [...sums]
    .filter(([, one]) => one.jobs > 0 || one.charged > 0)
    .map(([name, one]) => ({ name, ...one, share: total > 0 ? one.charged / total : 0 }))
    .sort((one, other) => other.charged - one.charged || one.name.localeCompare(other.name));
}

function isoDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
