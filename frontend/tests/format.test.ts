import { expect, test } from 'vitest';
import { ago, dollars, duration, memory, short, vcpus } from '../src/format';

test('durations are as long as they need to be', () => {
  expect([400, 12_345, 187_000, 3_729_000, 187_200_000].map(duration)).toEqual([
    '0.4 s',
    '12 s',
    '3:07',
    '1:02:09',
    '2 d 4 h',
  ]);
});

test('money keeps two digits that say something', () => {
  expect([0, 12.3456, 0.0123, 0.000411, 0.0000001, null].map(dollars)).toEqual([
    '$0.00',
    '$12.35',
    '$0.012',
    '$0.00041',
    '<$0.00001',
    '',
  ]);
});

test('times, memory, vCPUs and ids are short', () => {
  expect(ago(0, 59_000)).toBe('now');
  expect(ago(0, 7_200_000)).toBe('2 h ago');
  expect([0.25, 2, 8.25].map(vcpus)).toEqual(['0.25', '2', '8.25']);
  expect(memory(512)).toBe('512 MiB');
  expect(memory(6_144)).toBe('6 GiB');
  expect(short('3f2a9c1e-0000-4000-8000-000000000000:17')).toBe('3f2a9c1e:17');
});
