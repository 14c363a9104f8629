/** What the queues' section shows of a queue: bars, capacity in words, and why nothing starts. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { vcpus } from '../format';
import { type IEnvironment, type IQueueRow, type JobStatus, STATUSES } from '../shapes';

/** A part of a bar. */
export interface IPart {
  readonly status: JobStatus;
  readonly count: number;
  /** Of the bar's length, from 0 to 1. */
  readonly share: number;
}

/** vCPUs as a bar: what is used, what is there, and what there may be. */
export interface ICapacity {
  readonly used: number;
  readonly provisioned: number;
  readonly max: number;
  /** Asked for by jobs that wait, beyond what is used; 0 where nobody tells. */
  readonly wanted: number;
}

/** A part of the bar of vCPUs. */
export interface ISegment {
  readonly kind: 'used' | 'idle' | 'wanted';
  /** Of the bar's length, which is what there may be; from 0 to 1. */
  readonly share: number;
}

/** What fits on one page. */
export const PAGE = 20;

const WAITING: readonly JobStatus[] = ['SUBMITTED', 'PENDING', 'RUNNABLE'];
/** Parts below this share of a bar would not be seen. */
const LEAST = 0.02;

/** The queue's jobs as parts of a bar, in the order of a job's life; none where it is empty. */
export function partsOf(queue: IQueueRow): IPart[] {
  const statuses = STATUSES.filter(status => (queue.depth[status] ?? 0) > 0);
  const total = depthOf(queue);
  const raised = statuses.map(status => Math.max(LEAST, (queue.depth[status] ?? 0) / total));
  const sum = raised.reduce((one, other) => one + other, 0);
  return statuses.map((status, index) => ({
    status,
    count: queue.depth[status] ?? 0,
    share: (raised[index] ?? 0) / sum,
  }));
}

/** Jobs in the queue that have not ended. */
export function depthOf(queue: IQueueRow): number {
  return Object.values(queue.depth).reduce((one, other) => one + other, 0);
}

/** `3 waiting, 2 running`; `empty`; with `+` where there may be more. */
export function depthInWords(queue: IQueueRow, trans: TranslationBundle): string {
  const plus = queue.isDepthExact ? '' : '+';
  const count = (statuses: readonly string[]) =>
    statuses.reduce((sum, status) => sum + (queue.depth[status] ?? 0), 0);
  const words = [
    { count: count(WAITING), text: (n: string) => trans.__('%1 waiting', n) },
    { count: count(['STARTING']), text: (n: string) => trans.__('%1 starting', n) },
    { count: count(['RUNNING']), text: (n: string) => trans.__('%1 running', n) },
  ];
  const told = words.filter(each => each.count > 0);
  return told.map(each => each.text(`${each.count.toLocaleString()}${plus}`)).join(', ') || trans.__('empty');
}

/** Whether it takes jobs and serves them. */
export function isOn(queue: IQueueRow): boolean {
  return queue.state === 'ENABLED';
}

/** Its vCPUs; null where the backend does not tell them. */
export function capacityOf(queue: IQueueRow | IEnvironment): ICapacity | null {
  if (queue.usedVcpus === null || queue.provisionedVcpus === null || !queue.maxVcpus) {
    return null;
  }
  const wanted = 'wantedVcpus' in queue ? (queue.wantedVcpus ?? 0) : 0;
  return { used: queue.usedVcpus, provisioned: queue.provisionedVcpus, max: queue.maxVcpus, wanted };
}

/** The bar: used, there but unused, and wanted beyond that, as far as it may grow. */
export function segmentsOf({ used, provisioned, max, wanted }: ICapacity): ISegment[] {
  const whole = Math.max(max, provisioned, used);
  const idle = Math.max(0, provisioned - used);
  const beyond = Math.max(0, Math.min(wanted - idle, whole - Math.max(provisioned, used)));
  const segments: ISegment[] = [
    { kind: 'used', share: used / whole },
    { kind: 'idle', share: idle / whole },
    { kind: 'wanted', share: beyond / whole },
  ];
  return segments.filter(segment => segment.share > 0);
}

/** `4 of 8 vCPU used, up to 16, 12 more wanted`. */
export function capacityInWords(queue: IQueueRow | IEnvironment, trans: TranslationBundle): string {
  const capacity = capacityOf(queue);
  if (capacity === null) {
    return queue.maxVcpus ? trans.__('up to %1 vCPU', vcpus(queue.maxVcpus)) : '';
  }
  const { used, provisioned, max, wanted } = capacity;
  const words = [
    provisioned > 0
      ? trans.__('%1 of %2 vCPU used', vcpus(used), vcpus(provisioned))
      : trans.__('no vCPU yet'),
  ];
  if (max > provisioned) {
    words.push(trans.__('up to %1', vcpus(max)));
  }
  if (wanted > 0) {
    words.push(trans.__('%1 wanted', vcpus(wanted)));
  }
  return words.join(' · ');
}

/** `2 hosts`; empty where the backend does not tell them. */
export function hostsInWords(environment: IEnvironment, trans: TranslationBundle): string {
  return environment.hosts === null ? '' : trans._n('%1 host', '%1 hosts', environment.hosts);
}

/** Queues with this in their name. */
export function matching(queues: readonly IQueueRow[], text: string): IQueueRow[] {
  const wanted = text.trim().toLowerCase();
  return queues.filter(queue => queue.name.toLowerCase().includes(wanted));
}

/** A page of a list; a page that is no longer there becomes the last one. */
export function pageOf<T>(all: readonly T[], page: number): { rows: T[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(all.length / PAGE));
  const kept = Math.min(Math.max(0, page), pages - 1);
  return { rows: all.slice(kept * PAGE, (kept + 1) * PAGE), page: kept, pages };
}
