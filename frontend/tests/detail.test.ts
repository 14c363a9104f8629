import { expect, test } from 'vitest';
import { childAt, fieldOf } from '../src/detail/cells';
import { looksOf } from '../src/detail/field';
import { shownOutputs } from '../src/detail/outputs';
import { STATUSES } from '../src/shapes';

test('ten thousand children fit into a field that is not tall, and each has its place', () => {
  const field = fieldOf(10_000, 600);
  expect(field.rows * field.cell).toBeLessThan(220);
  expect(childAt(field, 10_000, field.cell * 2 + 1, field.cell + 1)).toBe(field.columns + 2);
  expect(childAt(field, 10_000, 1, field.rows * field.cell + 50)).toBe(-1);
});

test('few children have large cells', () => {
  expect(fieldOf(20, 600)).toEqual({ cell: 16, columns: 37, rows: 1 });
});

test('children look like their digit, and like the way they failed where it is known', () => {
  const failures = [{ outcome: 'out of memory' as const, words: '', count: 1, indexes: [2] }];
  const children = { id: 'a', size: 4, statuses: '5660', order: [...STATUSES], counts: {}, failures };
  expect(looksOf(children)).toEqual(['SUCCEEDED', 'exited', 'out of memory', 'SUBMITTED']);
});

test('the traceback stands behind the outputs unless it is among them', () => {
  const error = { type: 'ValueError', message: 'no', traceback: 'a\nb' };
  expect(shownOutputs({ outputs: [], error })).toEqual([
    { output_type: 'error', ename: 'ValueError', evalue: 'no', traceback: ['a', 'b'] },
  ]);
  const outputs = [{ output_type: 'error' }];
  expect(shownOutputs({ outputs, error })).toHaveLength(1);
});
