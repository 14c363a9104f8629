import { fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';
import { expect, test } from 'vitest';
import { JobList } from '../src/jobs/list';
import { row } from './rows';

const ROWS = Array.from({ length: 5_000 }, (_, at) => row(`id-${at}`, { name: `job number ${at}` }));

function Trial(props: { onOpen?: (id: string) => void }): React.ReactElement {
  const [selected, select] = React.useState('');
  return (
    <JobList
      rows={ROWS}
      total={ROWS.length}
      selected={selected}
      columns={['elapsed', 'queue']}
      label="Jobs"
      actionsOf={() => []}
      onSelect={select}
      onOpen={props.onOpen ?? (() => undefined)}
      onAction={() => undefined}
      onEnd={() => undefined}
    />
  );
}

test('of five thousand jobs few are in the page, and the grid says how many there are', () => {
  render(<Trial />);
  expect(screen.getByRole('grid', { name: 'Jobs' }).getAttribute('aria-rowcount')).toBe('5000');
  expect(screen.getAllByRole('row').length).toBeLessThan(60);
});

test('arrows select, Enter opens', () => {
  const opened: string[] = [];
  render(<Trial onOpen={id => opened.push(id)} />);
  const grid = screen.getByRole('grid');
  fireEvent.keyDown(grid, { key: 'ArrowDown' });
  fireEvent.keyDown(grid, { key: 'ArrowDown' });
  expect(grid.getAttribute('aria-activedescendant')).toBe('nbbatch-job-id-1');
  expect(document.querySelector('[data-job="id-1"]')?.getAttribute('aria-selected')).toBe('true');
  fireEvent.keyDown(grid, { key: 'Enter' });
  expect(opened).toEqual(['id-1']);
});

test('the menu key opens the menu of the selected row', () => {
  render(<Trial />);
  const grid = screen.getByRole('grid');
  const asked: string[] = [];
  document.addEventListener('contextmenu', event =>
    asked.push((event.target as HTMLElement).dataset.job ?? ''),
  );
  fireEvent.keyDown(grid, { key: 'ArrowDown' });
  fireEvent.keyDown(grid, { key: 'F10', shiftKey: true });
  expect(asked).toEqual(['id-0']);
});
