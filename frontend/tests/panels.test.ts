import { OutputAreaModel } from '@jupyterlab/outputarea';
import { expect, test } from 'vitest';
import { redraw } from '../src/panels/redraw';

const display = (html: string) => ({
  output_type: 'display_data',
  data: { 'text/html': html },
  metadata: {},
});

test('a panel is drawn anew where it stands, its figure below its buttons, and others are left alone', () => {
  const values = ['other', '<div data-nbbatch-of="a">old', '<div data-nbbatch-buttons="a">', ''].map(display);
  const outputs = new OutputAreaModel({ values, trusted: true });
  const frame = { 'text/plain': 'new', 'text/html': '<div data-nbbatch-of="a">new' };
  expect(redraw(outputs, { panel: 'a', frame, figure: { 'text/html': 'bars' } })).toBe(true);
  expect(redraw(outputs, { panel: 'b', frame, figure: null })).toBe(false);
  expect(outputs.toJSON().map(({ data }) => (data as Record<string, string>)['text/html'])).toEqual([
    'other',
    '<div data-nbbatch-of="a">new',
    '<div data-nbbatch-buttons="a">',
    'bars',
  ]);
});
