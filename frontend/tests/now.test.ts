import { expect, test, vi } from 'vitest';
import { Clock } from '../src/ui/now';

test('a clock that nobody looked at for a while is right at once', () => {
  vi.useFakeTimers();
  const clock = new Clock();
  clock.subscribe(() => undefined)();
  vi.setSystemTime(Date.now() + 75_000);
  const leave = clock.subscribe(() => undefined);
  expect(clock.value).toBe(Date.now());
  leave();
  vi.useRealTimers();
});
