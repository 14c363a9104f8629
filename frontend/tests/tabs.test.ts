import { expect, test } from 'vitest';
import { neighbour } from '../src/panel/tabs';

test('arrows go round, Home and End to the ends, other keys nowhere', () => {
  expect(neighbour('ArrowRight', 3, 4)).toBe(0);
  expect(neighbour('ArrowLeft', 0, 4)).toBe(3);
  expect(neighbour('Home', 2, 4)).toBe(0);
  expect(neighbour('End', 1, 4)).toBe(3);
  expect(neighbour('Enter', 1, 4)).toBe(-1);
});
