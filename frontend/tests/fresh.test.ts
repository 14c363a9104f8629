import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from '../src/api';
import { Fresh } from '../src/ui/fresh';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('nothing is asked while nobody looks', async () => {
  const ask = vi.fn(() => Promise.resolve(1));
  const fresh = new Fresh(ask, () => 1_000);
  fresh.changed();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).not.toHaveBeenCalled();
});

test('many changes cost one question per pause, and no change one now and then', async () => {
  const ask = vi.fn(() => Promise.resolve(1));
  const fresh = new Fresh(ask, () => 1_000);
  fresh.turn(true);
  for (let index = 0; index < 30; index += 1) {
    await vi.advanceTimersByTimeAsync(100);
    fresh.changed();
  }
  expect(ask.mock.calls.length).toBeLessThanOrEqual(4);
  await vi.advanceTimersByTimeAsync(2_000);
  const before = ask.mock.calls.length;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(ask.mock.calls.length - before).toBe(2);
});

test('what was known stays when the next answer fails', async () => {
  let isDown = false;
  const fresh = new Fresh(
    () => (isDown ? Promise.reject(new Error('no')) : Promise.resolve('known')),
    () => 1_000,
  );
  fresh.turn(true);
  await vi.advanceTimersByTimeAsync(0);
  isDown = true;
  fresh.changed();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(fresh.state.value.answer).toBe('known');
  expect(fresh.state.value.error?.message).toBe('no');
});

test('what was refused is not asked again until everything may be different', async () => {
  const ask = vi.fn(() => Promise.reject(new ApiError('no', { status: 400 })));
  const fresh = new Fresh(ask, () => 1_000);
  fresh.turn(true);
  await vi.advanceTimersByTimeAsync(60_000);
  fresh.changed();
  fresh.turn(false);
  fresh.turn(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledTimes(1);
  expect(fresh.state.value.error?.message).toBe('no');
  fresh.reset();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledTimes(2);
});

test('who does not answer is asked again', async () => {
  const ask = vi.fn(() => Promise.reject(new ApiError('silent', { status: 503 })));
  const fresh = new Fresh(ask, () => 1_000);
  fresh.turn(true);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(ask).toHaveBeenCalledTimes(3);
});
