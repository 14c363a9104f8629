/**
 * ANSI colours of a line (ECMA-48, SGR): which pieces it has and how each looks. What a line leaves on
 * goes on in the next one. Other escape sequences are dropped; carriage returns overwrite, as in a
 * terminal. Pure. The classes are those of JupyterLab's own renderer for text.
 */

export interface IStyle {
  readonly fg: string;
  readonly bg: string;
  readonly bold: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
}

export interface IPiece {
  readonly text: string;
  readonly style: IStyle;
}

export const PLAIN: IStyle = { fg: '', bg: '', bold: false, underline: false, inverse: false };

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const ESCAPE = '\u001b';
const SEQUENCE = new RegExp(
  `${ESCAPE}(?:\\[([0-9;:?]*)([ -/]*[@-~])|\\][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\)|[@-Z\\\\-_])`,
  'g',
);

/** Whether a line has anything but text. */
export function isPlain(line: string): boolean {
  return !line.includes(ESCAPE) && !line.includes('\r');
}

/** What is left of a line when each carriage return has overwritten what stood before it. */
export function overwritten(line: string): string {
  if (!line.includes('\r')) {
    return line;
  }
  const parts = line.split('\r').filter(part => part !== '');
  return parts[parts.length - 1] ?? '';
}

/** The pieces of a line that begins in a style, and the style in which it ends. */
export function piecesOf(line: string, start: IStyle): { pieces: IPiece[]; end: IStyle } {
  const text = overwritten(line);
  const pieces: IPiece[] = [];
  let style = start;
  let from = 0;
  const add = (piece: string) => piece && pieces.push({ text: piece, style });
  for (const found of text.matchAll(SEQUENCE)) {
    add(text.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] === 'm') {
      style = styled(style, found[1] ?? '');
    }
  }
  add(text.slice(from));
  return { pieces, end: style };
}

/** A line without its escape sequences. */
export function plainOf(line: string): string {
  return isPlain(line) ? line : overwritten(line).replace(SEQUENCE, '');
}

function styled(style: IStyle, codes: string): IStyle {
  const numbers = codes.split(/[;:]/).map(Number);
  let now = style;
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at] ?? 0;
    if (code === 38 || code === 48) {
      const [colour, taken] = extended(numbers.slice(at + 1));
      now = code === 38 ? { ...now, fg: colour } : { ...now, bg: colour };
      at += taken;
    } else {
      now = simple(now, code);
    }
  }
  return now;
}

function simple(style: IStyle, code: number): IStyle {
  switch (code) {
    case 0:
      return PLAIN;
    case 1:
      return { ...style, bold: true };
    case 4:
      return { ...style, underline: true };
    case 7:
      return { ...style, inverse: true };
    case 22:
      return { ...style, bold: false };
    case 24:
      return { ...style, underline: false };
    case 27:
      return { ...style, inverse: false };
    case 39:
      return { ...style, fg: '' };
    case 49:
      return { ...style, bg: '' };
    default:
      return coloured(style, code);
  }
}

function coloured(style: IStyle, code: number): IStyle {
  const name = NAMES[code % 10];
  const tens = Math.floor(code / 10);
  const colour = name && (tens >= 9 ? `${name}-intense` : name);
  switch (tens) {
    case 3:
    case 9:
      return colour ? { ...style, fg: colour } : style;
    case 4:
    case 10:
      return colour ? { ...style, bg: colour } : style;
    default:
      return style;
  }
}

/** A colour of 256, or of 16 million, and how many numbers it took. */
function extended(numbers: readonly number[]): [string, number] {
  const [kind, first = 0, second = 0, third = 0] = numbers;
  if (kind === 5) {
    return [indexed(first), 2];
  }
  return kind === 2 ? [`rgb(${first},${second},${third})`, 4] : ['', 0];
}

function indexed(number: number): string {
  if (number < 16) {
    return `${NAMES[number % 8]}${number < 8 ? '' : '-intense'}`;
  }
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return `rgb(${grey},${grey},${grey})`;
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const cube = number - 16;
  return `rgb(${level(Math.floor(cube / 36))},${level(Math.floor(cube / 6) % 6)},${level(cube % 6)})`;
}

/** Class and inline style of a piece. */
export function inCss({ fg, bg, bold, underline, inverse }: IStyle): {
  className: string;
  style: { color?: string; backgroundColor?: string };
} {
  const [front, back] = inverse ? [bg || 'default-inverse', fg || 'default-inverse'] : [fg, bg];
  const isNamed = (colour: string) => colour !== '' && !colour.startsWith('rgb');
  const classes = [
    isNamed(front) ? `ansi-${front}-fg` : '',
    isNamed(back) ? `ansi-${back}-bg` : '',
    bold ? 'ansi-bold' : '',
    underline ? 'ansi-underline' : '',
  ];
  return {
    className: classes.filter(Boolean).join(' '),
    style: {
      ...(front.startsWith('rgb') ? { color: front } : {}),
      ...(back.startsWith('rgb') ? { backgroundColor: back } : {}),
    },
  };
}
