/** What is said of jobs that ended: each by itself while they are few, else all in one sentence. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IEnded } from '../shapes';

/** Which ends are told. */
export type Policy = 'all' | 'failed' | 'none';

/** One notification. */
export interface INote {
  readonly type: 'success' | 'error' | 'warning';
  readonly message: string;
  /** The jobs it is about. */
  readonly ended: readonly IEnded[];
}

/** More than so many that end together are told in one. */
export const FEW = 3;

const LONGEST_NAME = 40;

/** The notifications for jobs that ended at about the same time. */
export function notesOf(ended: readonly IEnded[], policy: Policy, trans: TranslationBundle): INote[] {
  const told = ended.filter(job => policy === 'all' || (policy === 'failed' && !isGood(job)));
  return told.length > FEW ? [together(told, trans)] : told.map(job => alone(job, trans));
}

export function isGood(job: IEnded): boolean {
  return job.outcome === 'succeeded';
}

/** Whether somebody ended it on purpose, who then need not be alarmed. */
function isMeant(job: IEnded): boolean {
  return job.outcome === 'cancelled' || job.outcome === 'terminated';
}

function alone(job: IEnded, trans: TranslationBundle): INote {
  const type = isGood(job) ? 'success' : isMeant(job) ? 'warning' : 'error';
  return { type, message: trans.__('%1: %2', short(job.name), job.words), ended: [job] };
}

function together(ended: readonly IEnded[], trans: TranslationBundle): INote {
  const succeeded = ended.filter(isGood).length;
  const failed = ended.length - succeeded;
  const parts = [
    succeeded > 0 ? trans._n('%1 succeeded', '%1 succeeded', succeeded) : '',
    ...waysToFail(ended).map(([way, count]) => `${count} ${way}`),
  ];
  const message = trans.__('%1 jobs ended: %2.', ended.length, parts.filter(part => part !== '').join(', '));
  return { type: failed > 0 ? 'error' : 'success', message, ended };
}

/** How many failed in which way, the most frequent first. */
function waysToFail(ended: readonly IEnded[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const job of ended.filter(each => !isGood(each))) {
    const way = job.outcome === 'exited' || job.outcome === 'children failed' ? 'failed' : job.outcome;
    counts.set(way, (counts.get(way) ?? 0) + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}

function short(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
}
