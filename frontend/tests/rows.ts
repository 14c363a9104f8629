/** Rows of jobs, and news of them, for tests. */

import type { IJobRow, INews } from '../src/shapes';

export function row(id: string, changes: Partial<IJobRow> = {}): IJobRow {
  return {
    id,
    name: `job ${id}`,
    queue: 'default',
    kind: 'job',
    notebook: '',
    status: 'RUNNING',
    reason: '',
    outcome: null,
    words: 'RUNNING',
    created: 1_000,
    started: 2_000,
    stopped: null,
    seconds: null,
    exitCode: null,
    size: null,
    counts: {},
    failures: {},
    cost: null,
    canCancel: false,
    canTerminate: true,
    canRetry: false,
    ...changes,
  };
}

export function newsOf(changes: Partial<INews> = {}): INews {
  return {
    backend: '',
    cursor: '',
    jobs: [],
    gone: [],
    ended: [],
    isReset: false,
    pause: 0,
    noDaemon: '',
    ...changes,
  };
}
