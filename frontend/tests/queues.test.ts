import { expect, test } from 'vitest';
import {
  capacityInWords,
  capacityOf,
  depthInWords,
  matching,
  PAGE,
  pageOf,
  partsOf,
  segmentsOf,
} from '../src/queues/model';
import type { IQueueRow } from '../src/shapes';
import { trans } from './words';

function queue(given: Partial<IQueueRow>): IQueueRow {
  return {
    name: 'default',
    state: 'ENABLED',
    reason: '',
    priority: 1,
    depth: {},
    isDepthExact: true,
    blocked: '',
    front: [],
    wantedVcpus: null,
    provisionedVcpus: null,
    usedVcpus: null,
    maxVcpus: 0,
    environments: [],
    ...given,
  };
}

test('a bar has a part for each state that has jobs, and the smallest can be seen', () => {
  const parts = partsOf(queue({ depth: { RUNNABLE: 9_999, RUNNING: 1 } }));
  expect(parts.map(part => part.status)).toEqual(['RUNNABLE', 'RUNNING']);
  expect(parts[1]?.share).toBeGreaterThan(0.015);
  expect(parts.reduce((sum, part) => sum + part.share, 0)).toBeCloseTo(1);
  expect(partsOf(queue({}))).toEqual([]);
});

test('depth is told in words, with a plus where there may be more', () => {
  expect(depthInWords(queue({ depth: { RUNNABLE: 2, PENDING: 1, RUNNING: 4 } }), trans)).toBe(
    '3 waiting, 4 running',
  );
  expect(depthInWords(queue({ depth: { RUNNING: 100 }, isDepthExact: false }), trans)).toBe('100+ running');
  expect(depthInWords(queue({}), trans)).toBe('empty');
});

test('vCPUs are told as far as the backend knows them', () => {
  const known = queue({ usedVcpus: 3, provisionedVcpus: 4, maxVcpus: 16, wantedVcpus: 12 });
  expect(capacityInWords(known, trans)).toBe('3 of 4 vCPU used · up to 16 · 12 wanted');
  expect(capacityInWords(queue({ maxVcpus: 16 }), trans)).toBe('up to 16 vCPU');
  expect(capacityOf(queue({ maxVcpus: 16 }))).toBeNull();
});

test('the bar of vCPUs never grows over its end, however much is wanted', () => {
  const segments = segmentsOf({ used: 3, provisioned: 4, max: 16, wanted: 500 });
  expect(segments.map(segment => segment.kind)).toEqual(['used', 'idle', 'wanted']);
  expect(segments.reduce((sum, segment) => sum + segment.share, 0)).toBeCloseTo(1);
  expect(segmentsOf({ used: 20, provisioned: 16, max: 16, wanted: 0 })).toEqual([{ kind: 'used', share: 1 }]);
});

test('names are filtered without regard to case, and a page that is gone becomes the last one', () => {
  const queues = Array.from({ length: PAGE + 1 }, (_, index) => queue({ name: `Team-${index}` }));
  expect(matching(queues, ' team-19 ').map(each => each.name)).toEqual(['Team-19']);
  expect(pageOf(queues, 7)).toMatchObject({ page: 1, pages: 2, rows: [{ name: `Team-${PAGE}` }] });
});
