import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type INote, notesOf } from '../src/notifications/model';
import { type IChannel, Teller } from '../src/notifications/teller';
import { Observable } from '../src/observable';
import { DEFAULTS, type ISettings } from '../src/settings/settings';
import type { IEnded, Outcome } from '../src/shapes';
import { trans } from './words';

function ended(id: string, outcome: Outcome = 'succeeded', words = 'SUCCEEDED in 2 s'): IEnded {
  return { id, name: `job-${id}`, queue: 'default', outcome, words, stopped: 1 };
}

class Shown implements IChannel {
  readonly notes: INote[] = [];
  readonly outside: INote[] = [];
  awaited = '';
  seen = true;
  show = (note: INote) => this.notes.push(note);
  showOutside = (note: INote) => this.outside.push(note);
  isSeen = () => this.seen;
  isAwaited = (job: IEnded) => job.id === this.awaited;
}

function telling(settings: Partial<ISettings> = {}): { shown: Shown; teller: Teller } {
  const shown = new Shown();
  return { shown, teller: new Teller(new Observable({ ...DEFAULTS, ...settings }), shown, trans) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a few jobs are told each by itself: success, failure with how, and what was stopped on purpose', () => {
  const jobs = [
    ended('a'),
    ended('b', 'timed out', 'FAILED (timed out)'),
    ended('c', 'cancelled', 'cancelled'),
  ];
  expect(notesOf(jobs, 'all', trans).map(note => [note.type, note.message])).toEqual([
    ['success', 'job-a: SUCCEEDED in 2 s'],
    ['error', 'job-b: FAILED (timed out)'],
    ['warning', 'job-c: cancelled'],
  ]);
  expect(notesOf(jobs, 'failed', trans)).toHaveLength(2);
  expect(notesOf(jobs, 'none', trans)).toEqual([]);
});

test('many are told in one sentence that counts the ways to fail', () => {
  const jobs = [ended('a'), ended('b'), ended('c', 'exited'), ended('d', 'exited'), ended('e', 'timed out')];
  const [note, ...others] = notesOf(jobs, 'all', trans);
  expect(note).toMatchObject({
    type: 'error',
    message: '5 jobs ended: 2 succeeded, 2 failed, 1 timed out.',
  });
  expect(others).toEqual([]);
});

test('jobs that end within a moment are told together, and each only once', () => {
  const { shown, teller } = telling();
  for (const id of ['a', 'b', 'c', 'd']) {
    teller.hear([ended(id)]);
    vi.advanceTimersByTime(500);
  }
  teller.hear([ended('a')]);
  vi.runAllTimers();
  expect(shown.notes.map(note => note.message)).toEqual(['4 jobs ended: 4 succeeded.']);
});

test('a stream of ends that never pauses is told after five seconds all the same', () => {
  const { shown, teller } = telling();
  for (let index = 0; index < 12; index += 1) {
    teller.hear([ended(String(index))]);
    vi.advanceTimersByTime(500);
  }
  expect(shown.notes).toHaveLength(1);
});

test('a job that a cell waits for is not told, and the browser only where wanted and nobody looks', () => {
  const { shown, teller } = telling({ notifyBrowser: true });
  shown.awaited = 'a';
  teller.hear([ended('a'), ended('b')]);
  vi.runAllTimers();
  expect(shown.notes.map(note => note.ended[0]?.id)).toEqual(['b']);
  expect(shown.outside).toEqual([]);
  shown.seen = false;
  teller.hear([ended('c')]);
  vi.runAllTimers();
  expect(shown.outside.map(note => note.ended[0]?.id)).toEqual(['c']);
});
