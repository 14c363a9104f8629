/** Numbers for people: durations, times, money and memory, in as few letters as say it. Pure. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration of so many ms: `0.4 s`, `12 s`, `3:07`, `1:02:09`, `2 d 4 h`. */
export function duration(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < 10 * SECOND) {
    return `${(whole / SECOND).toFixed(1)} s`;
  }
  if (whole < MINUTE) {
    return `${Math.floor(whole / SECOND)} s`;
  }
  if (whole < DAY) {
    return clockwise(whole);
  }
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

function clockwise(ms: number): string {
  const seconds = two(Math.floor((ms % MINUTE) / SECOND));
  const minutes = Math.floor((ms % HOUR) / MINUTE);
  return ms < HOUR ? `${minutes}:${seconds}` : `${Math.floor(ms / HOUR)}:${two(minutes)}:${seconds}`;
}

const two = (number: number) => String(number).padStart(2, '0');

/** How long ago: `now`, `5 min ago`, `3 h ago`, `yesterday`, else the day. */
export function ago(time: number, now: number): string {
  const past = now - time;
  if (past < MINUTE) {
    return 'now';
  }
  if (past < HOUR) {
    return `${Math.floor(past / MINUTE)} min ago`;
  }
  if (past < DAY) {
    return `${Math.floor(past / HOUR)} h ago`;
  }
  return past < 2 * DAY ? 'yesterday' : new Date(time).toLocaleDateString();
}

/** A moment in full, in the reader's own zone. */
export function moment(time: number | null | undefined): string {
  return typeof time === 'number' ? new Date(time).toLocaleString() : '';
}

/** Dollars with at least two digits that say something: `$1.20`, `$0.0004`; nothing for nothing known. */
export function dollars(amount: number | null | undefined): string {
  if (amount === null || amount === undefined) {
    return '';
  }
  if (amount === 0 || amount >= 0.095) {
    return `$${amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  }
  if (amount < 0.00001) {
    return '<$0.00001';
  }
  const digits = Math.min(6, 1 - Math.floor(Math.log10(amount)));
  return `$${amount.toFixed(digits)}`;
}

/** MiB as MiB or GiB. */
export function memory(mib: number): string {
  return mib < 1_024 ? `${mib} MiB` : `${trimmed(mib / 1_024)} GiB`;
}

/** A number with at most one decimal. */
export function trimmed(number: number): string {
  return number.toLocaleString('en-US', { maximumFractionDigits: 1 });
}

/** vCPUs, which jobs may ask for in quarters: `0.25`, `2`. */
export function vcpus(number: number): string {
  return number.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

/** A count with its noun. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

/** The first letters of an id, enough to know it again. */
export function short(id: string): string {
  const [job = '', child] = id.split(':');
  return job.slice(0, 8) + (child === undefined ? '' : `:${child}`);
}
