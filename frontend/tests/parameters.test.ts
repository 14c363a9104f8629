import { expect, test } from 'vitest';
import type { IParameter } from '../src/shapes';
import { complaintAbout, isChanged, kindOf, meansSeveral, sweepValues } from '../src/submit/parameters';
import { trans } from './words';

function parameter(given: Partial<IParameter>): IParameter {
  return { name: 'lr', type: '', help: '', default: '', value: null, ...given };
}

test('an annotation says what a parameter takes, an optional one too', () => {
  expect(kindOf(parameter({ type: 'int', value: 0.5 }))).toBe('integer');
  expect(kindOf(parameter({ type: 'Optional[float]' }))).toBe('number');
  expect(kindOf(parameter({ type: 'str | None' }))).toBe('text');
});

test('without an annotation the default says it, and a whole number may become a fraction', () => {
  expect(kindOf(parameter({ value: 1, default: '1' }))).toBe('number');
  expect(kindOf(parameter({ value: true, default: 'True' }))).toBe('flag');
  expect(kindOf(parameter({ value: 'a', default: '"a"' }))).toBe('text');
  expect(kindOf(parameter({ value: [1], default: '[1]' }))).toBe('literal');
  expect(kindOf(parameter({ value: null, default: 'now()' }))).toBe('literal');
});

test('a text that is no number is refused with the text in the reason', () => {
  expect(complaintAbout('number', 'fast', trans)).toBe('“fast” is not a number.');
  expect(complaintAbout('integer', '1.5', trans)).toBe('“1.5” is not a whole number.');
  for (const number of ['1', '-0.5', '.5', '1e-3', '1_000']) {
    expect(complaintAbout('number', number, trans)).toBe('');
  }
});

test('a comma between numbers, or a range, means several; a comma in a text does not', () => {
  expect(meansSeveral('number', '0.1, 0.2')).toBe(true);
  expect(meansSeveral('integer', '1..5')).toBe(true);
  expect(meansSeveral('number', '0.1')).toBe(false);
  expect(meansSeveral('text', 'a, b')).toBe(false);
});

test('several values are read by their kind; ranges, quotes and brackets hold together', () => {
  expect(sweepValues('number', '0.1, 1e-2,', trans)).toEqual([0.1, 0.01]);
  expect(sweepValues('integer', '1..4, 10, 3..1', trans)).toEqual([1, 2, 3, 4, 10, 3, 2, 1]);
  expect(sweepValues('text', 'a, "b, c", it\'s', trans)).toEqual(['a', 'b, c', "it's"]);
  expect(sweepValues('flag', 'true, False', trans)).toEqual([true, false]);
  expect(sweepValues('literal', '[1, 2], {"a": 1}, None, x', trans)).toEqual([[1, 2], { a: 1 }, null, 'x']);
});

test('several values of which one is wrong, or none is there, are refused', () => {
  expect(() => sweepValues('number', '0.1, x', trans)).toThrow('“x” is not a number.');
  expect(() => sweepValues('number', ' , ', trans)).toThrow('separated by commas');
  expect(() => sweepValues('integer', '1..100000', trans)).toThrow('an array takes 10000');
  expect(() => sweepValues('integer', '12345678901234567890', trans)).toThrow('too many digits');
});

test('a field that is left empty keeps the default, but an empty text is a text', () => {
  const number = parameter({ value: 1, default: '1' });
  expect(isChanged(number, { text: '', isSweep: false })).toBe(false);
  const text = parameter({ value: 'a', default: '"a"' });
  expect(isChanged(text, { text: '', isSweep: false })).toBe(true);
  expect(isChanged(text, { text: 'a', isSweep: false })).toBe(false);
});
