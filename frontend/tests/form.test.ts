import { expect, test } from 'vitest';
import type { INotebook, IOptionField, IParameter } from '../src/shapes';
import {
  complaintsOf,
  estimateOf,
  fieldNamed,
  NOTHING,
  requestOf,
  runsOf,
  stillKnown,
  withOption,
  withSweep,
  withText,
} from '../src/submit/form';
import { keepInNotebook, recall, remember } from '../src/submit/remember';
import { trans } from './words';

const lr: IParameter = { name: 'lr', type: 'float', help: '', default: '0.1', value: 0.1 };
const seed: IParameter = { name: 'seed', type: '', help: '', default: '1', value: 1 };
const day: IParameter = { name: 'day', type: 'str', help: '', default: '"now"', value: 'now' };
const fast: IParameter = { name: 'fast', type: '', help: '', default: 'False', value: false };

function option(name: string, kind: IOptionField['kind'] = 'text'): IOptionField {
  return { name, flag: `--${name}`, help: '', kind, default: '', source: '', choices: [], isAdvanced: false };
}

const notebook: INotebook = {
  path: 'a/train.ipynb',
  name: 'train',
  kernel: 'python3',
  language: 'python',
  backend: 'local',
  parameters: [lr, seed, day, fast],
  hasParameters: true,
  options: [option('queue'), option('memory', 'memory'), option('env', 'pairs')],
  warnings: [],
};

test('an untouched form asks for nothing but the notebook', () => {
  expect(requestOf(NOTHING, notebook, trans)).toEqual({
    path: 'a/train.ipynb',
    parameters: {},
    expressions: {},
    grid: {},
    options: {},
    kernel: '',
    output: '',
  });
});

test('numbers travel as typed, texts as they are, flags as values', () => {
  let choice = withText(NOTHING, seed, '12345678901234567890');
  choice = withText(choice, day, '2026-01-01');
  choice = withText(choice, fast, 'true');
  const { parameters, expressions } = requestOf(choice, notebook, trans);
  expect(expressions).toEqual({ seed: '12345678901234567890' });
  expect(parameters).toEqual({ day: '2026-01-01', fast: true });
});

test('commas between numbers make a sweep of every combination, in one estimate', () => {
  const choice = withSweep(withText(withText(NOTHING, lr, '0.1, 0.01'), day, 'a, b, c'), day, true);
  expect(requestOf(choice, notebook, trans).grid).toEqual({ lr: [0.1, 0.01], day: ['a', 'b', 'c'] });
  expect(runsOf(choice, notebook, trans)).toBe(6);
  expect(estimateOf(choice, notebook, trans).items).toBe(6);
});

test('what is wrong is told at its field, and too many combinations at none', () => {
  const wrong = withText(NOTHING, lr, 'fast');
  expect(complaintsOf(wrong, notebook, trans)).toEqual([
    { field: 'parameter-lr', message: '“fast” is not a number.', cure: '' },
  ]);
  const many = withText(withText(NOTHING, lr, '1..200'), seed, '1..200');
  expect(complaintsOf(many, notebook, trans)[0]).toMatchObject({
    field: '',
    message: 'These are 40000 combinations; an array takes 10000.',
  });
});

test('a choice that comes back to the notebook’s own is none', () => {
  expect(withText(withText(NOTHING, lr, '0.2'), lr, '0.1')).toEqual(NOTHING);
  expect(withOption(withOption(NOTHING, 'memory', '4G'), 'memory', '')).toEqual(NOTHING);
});

test('lines of an option become a list, other options stay as typed', () => {
  const choice = withOption(withOption(NOTHING, 'env', 'A=1\n\nB=2'), 'memory', ' 4G ');
  expect(requestOf(choice, notebook, trans).options).toEqual({ env: ['A=1', 'B=2'], memory: '4G' });
});

test('the server’s name of a field is found among options and parameters', () => {
  expect(fieldNamed('memory', notebook)).toBe('option-memory');
  expect(fieldNamed('lr', notebook)).toBe('parameter-lr');
  expect(fieldNamed('path', notebook)).toBe('path');
});

test('of a remembered choice what the notebook no longer has is dropped', () => {
  const old = withOption(withText(NOTHING, { ...lr, name: 'gone' }, '5'), 'preset', 'x');
  expect(stillKnown(old, notebook)).toEqual(NOTHING);
});

class Keeper {
  readonly values = new Map<string, unknown>();
  get<T>(name: string, otherwise: T): T {
    return (this.values.get(name) as T | undefined) ?? otherwise;
  }
  set(name: string, value: unknown): void {
    this.values.set(name, value);
  }
}

test('the choice for a notebook comes back, and only the last thirty are kept', () => {
  const keeper = new Keeper();
  const choice = withOption(NOTHING, 'memory', '4G');
  for (let index = 0; index <= 30; index += 1) {
    remember(keeper, `${index}.ipynb`, choice);
  }
  expect(recall(keeper, '30.ipynb')).toEqual(choice);
  expect(recall(keeper, '0.ipynb')).toEqual(NOTHING);
  remember(keeper, '30.ipynb', NOTHING);
  expect(recall(keeper, '30.ipynb')).toEqual(NOTHING);
});

test('options go into the notebook over those of the same name, the others stay', () => {
  const metadata = new Keeper();
  metadata.set('nbbatch', { memory: '1G', gpus: 1 });
  const kept = {
    getMetadata: (key: string) => metadata.get(key, null),
    setMetadata: (key: string, value: unknown) => metadata.set(key, value),
  };
  keepInNotebook(kept, withOption(NOTHING, 'memory', '4G'), notebook);
  expect(metadata.get('nbbatch', null)).toEqual({ memory: '4G', gpus: 1 });
});
