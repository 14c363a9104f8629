/** What a job looks like: the generated colours, and a shape of its own so that colour never stands alone. */

import type { IJobRow, JobStatus, Look, Outcome } from '../shapes';
import { STATUSES } from '../shapes';

/** How a row, or a child, is shown: by its status, or by how it failed. */
export function lookOf(status: string, outcome: string | null | undefined): Look {
  if (status !== 'FAILED') {
    return status as Exclude<JobStatus, 'FAILED'>;
  }
  return outcome && outcome !== 'succeeded' && outcome !== 'children failed'
    ? (outcome as Exclude<Outcome, 'succeeded' | 'children failed'>)
    : 'exited';
}

/** How a row is shown: an array, which Batch calls PENDING as long as its children run, as the furthest of them. */
export function lookOfRow(row: IJobRow): Look {
  const going: readonly JobStatus[] = ['RUNNING', 'STARTING', 'RUNNABLE'];
  const furthest = hasEnded(row.status) ? undefined : going.find(status => (row.counts[status] ?? 0) > 0);
  return furthest ? lookOf(furthest, null) : lookOf(row.status, row.outcome);
}

/** Whether a job has come to its end. */
export function hasEnded(status: string): boolean {
  return status === 'SUCCEEDED' || status === 'FAILED';
}

/** A part of an array's strip. */
export interface IPart {
  readonly look: Look;
  readonly count: number;
}

/**
 * The children of an array by look, done first and waiting last. Failures are told apart as far as they
 * are known; the remainder counts as FAILED.
 */
export function partsOf(row: Pick<IJobRow, 'counts' | 'failures'>): IPart[] {
  const { FAILED: failed = 0, ...counts } = row.counts as Partial<Record<JobStatus, number>>;
  const parts: IPart[] = [];
  const add = (look: Look, count: number) => count > 0 && parts.push({ look, count });
  add('SUCCEEDED', counts.SUCCEEDED ?? 0);
  let known = 0;
  for (const [outcome, count] of Object.entries(row.failures)) {
    const told = Math.min(count, failed - known);
    add(lookOf('FAILED', outcome), told);
    known += told;
  }
  add('exited', failed - known);
  for (const status of [...STATUSES].reverse()) {
    if (status !== 'SUCCEEDED' && status !== 'FAILED') {
      add(status, counts[status] ?? 0);
    }
  }
  return merged(parts);
}

function merged(parts: IPart[]): IPart[] {
  const counts = new Map<Look, number>();
  for (const { look, count } of parts) {
    counts.set(look, (counts.get(look) ?? 0) + count);
  }
  return [...counts].map(([look, count]) => ({ look, count }));
}

/** How many children have ended. */
export function endedOf(row: Pick<IJobRow, 'counts'>): number {
  const counts = row.counts as Partial<Record<JobStatus, number>>;
  return (counts.SUCCEEDED ?? 0) + (counts.FAILED ?? 0);
}
