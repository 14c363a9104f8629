import { expect, test } from 'vitest';
import { Attention } from '../src/attention';
import { inCss, PLAIN, piecesOf, plainOf } from '../src/logs/ansi';
import { split } from '../src/logs/lines';
import { LogModel } from '../src/logs/model';
import { stepped } from '../src/logs/viewer';
import { Observable } from '../src/observable';
import type { ILogPage } from '../src/shapes';
import { Store } from '../src/store';
import { TestServer } from './server';

const page = (texts: string[], more: Partial<ILogPage> = {}): ILogPage => ({
  lines: texts.map(text => ({ time: 0, text })),
  forward: 'f',
  backward: '',
  attempt: 1,
  attempts: 1,
  isOver: true,
  ...more,
});

test('colours become the classes of the notebook, and go on in the next line', () => {
  const { pieces, end } = piecesOf('a \u001b[1;31mred\u001b[0m \u001b[38;5;208mnow', PLAIN);
  expect(pieces.map(({ text }) => text)).toEqual(['a ', 'red', ' ', 'now']);
  expect(inCss(pieces[1]?.style ?? PLAIN).className).toBe('ansi-red-fg ansi-bold');
  expect(end.fg).toBe('rgb(255,135,0)');
  expect(piecesOf('still', end).pieces[0]?.style.fg).toBe('rgb(255,135,0)');
});

test('other sequences are dropped and a carriage return overwrites', () => {
  expect(plainOf('\u001b[2Kdone \u001b]8;;http://a\u0007link')).toBe('done link');
  expect(plainOf('10%\r50%\r100%')).toBe('100%');
});

test('a hundred thousand lines are searched and coloured on demand', async () => {
  const lines = Array.from({ length: 100_000 }, (_, at) => `line ${at}${at === 0 ? '\u001b[32m' : ''}`);
  const server = new TestServer(() => ({ body: page(lines) }));
  const model = new LogModel(new Store(server.client, new Attention()), { id: 'a', backend: '' });
  await model.follow(new Observable(true));
  expect(model.state.value).toMatchObject({ count: 100_000, isOver: true });
  expect(model.find('LINE 99999')).toEqual([99_999]);
  expect(model.startOf(99_999).fg).toBe('green');
});

test('earlier pages stand before later ones, until the beginning', async () => {
  const answers: Record<string, ILogPage> = { b: page(['one', 'two'], { backward: '' }) };
  const server = new TestServer(asked => {
    const token = /page=(\w+)/.exec(asked)?.[1] ?? '';
    return { body: answers[token] ?? page(['three'], { backward: 'b' }) };
  });
  const model = new LogModel(new Store(server.client, new Attention()), { id: 'a', backend: '' });
  await model.follow(new Observable(true));
  expect(model.state.value.hasEarlier).toBe(true);
  await model.whole();
  expect(model.text()).toBe('one\ntwo\nthree\n');
  expect(model.state.value.hasEarlier).toBe(false);
});

test('what is found is marked, and steps go round', () => {
  expect(split('An Ant and', 'an')).toEqual(['', 'An', ' ', 'An', 't ', 'an', 'd']);
  expect(stepped([3, 8], 8, 1)).toBe(3);
  expect(stepped([3, 8], 3, -1)).toBe(8);
  expect(stepped([], 3, 1)).toBe(-1);
});
