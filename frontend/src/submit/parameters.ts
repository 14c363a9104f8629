/**
 * A notebook's parameters as fields: what each takes, and what a typed text means. Pure.
 *
 * Numbers and literals travel as they were typed, because the server reads them as Python: a seed of
 * twenty digits would not survive being a number here. Only a sweep's values are read here.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IParameter } from '../shapes';

/** How a field is asked for; `literal` is JSON or a Python literal, else text. */
export type FieldKind = 'text' | 'number' | 'integer' | 'flag' | 'literal';

/** What stands in a parameter's field. */
export interface Entry {
  readonly text: string;
  /** Whether the text is several values separated by commas. */
  readonly isSweep: boolean;
}

/** A text that is no value; the message says why. */
export class Unreadable extends Error {}

/** AWS Batch's most children of one array. */
export const MOST_RUNS = 10_000;

const TYPES: Readonly<Record<string, FieldKind>> = {
  int: 'integer',
  float: 'number',
  bool: 'flag',
  str: 'text',
};
const NUMBER = /^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INTEGER = /^[+-]?\d[\d_]*$/;
const FLAG = /^(true|false)$/i;
const RANGE = /^([+-]?\d+)\.\.([+-]?\d+)$/;
const CONSTANTS = new Map<string, unknown>([
  ['True', true],
  ['False', false],
  ['None', null],
]);

/** By the annotation, else by the default; a whole number that is only a default may become a fraction. */
export function kindOf(parameter: IParameter): FieldKind {
  const annotated = TYPES[bare(parameter.type)];
  if (annotated !== undefined) {
    return annotated;
  }
  switch (typeof parameter.value) {
    case 'boolean':
      return 'flag';
    case 'number':
      return 'number';
    case 'string':
      return 'text';
    default:
      return 'literal';
  }
}

/** `Optional[int]` and `int | None` ask for an `int`. */
function bare(type: string): string {
  return type
    .trim()
    .replace(/^(?:typing\.)?Optional\[(.*)\]$/, '$1')
    .replace(/\s*\|\s*None$/, '')
    .trim();
}

/** What stands in its field before anybody has typed. */
export function initialEntry(parameter: IParameter): Entry {
  return { text: initialText(parameter), isSweep: false };
}

function initialText({ value, default: expression }: IParameter): string {
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : expression;
}

/** Whether a field says anything else than the notebook does; a field left empty keeps the default. */
export function isChanged(parameter: IParameter, entry: Entry): boolean {
  const isLeftEmpty = entry.text.trim() === '' && kindOf(parameter) !== 'text';
  return !isLeftEmpty && (entry.isSweep || entry.text !== initialText(parameter));
}

/** Whether this text can only mean several values: a comma between numbers, or `1..20`. */
export function meansSeveral(kind: FieldKind, text: string): boolean {
  return (kind === 'number' || kind === 'integer') && /[^,\s]\s*,|\d\.\.[+-]?\d/.test(text);
}

/** Why this is no value of its kind; empty where it is one. */
export function complaintAbout(kind: FieldKind, text: string, trans: TranslationBundle): string {
  const given = text.trim();
  switch (kind) {
    case 'number':
      return NUMBER.test(given) ? '' : trans.__('“%1” is not a number.', given);
    case 'integer':
      return INTEGER.test(given) ? '' : trans.__('“%1” is not a whole number.', given);
    case 'flag':
      return FLAG.test(given) ? '' : trans.__('“%1” is neither true nor false.', given);
    default:
      return '';
  }
}

/**
 * The values of a sweep: `0.1, 0.01`, `1..20`, `"a, b", c`.
 *
 * @throws Unreadable - There is none, or one is not of its kind.
 */
export function sweepValues(kind: FieldKind, text: string, trans: TranslationBundle): unknown[] {
  const values = pieces(text).flatMap(piece => valuesOf(kind, piece, trans));
  if (values.length === 0) {
    throw new Unreadable(trans.__('Give values, separated by commas.'));
  }
  return values;
}

function valuesOf(kind: FieldKind, piece: string, trans: TranslationBundle): unknown[] {
  const range = kind === 'text' || kind === 'flag' ? null : RANGE.exec(piece);
  if (range !== null) {
    return spread(Number(range[1]), Number(range[2]), trans);
  }
  const complaint = complaintAbout(kind, piece, trans);
  if (complaint !== '') {
    throw new Unreadable(complaint);
  }
  return [readValue(kind, piece, trans)];
}

function spread(first: number, last: number, trans: TranslationBundle): number[] {
  const size = Math.abs(last - first) + 1;
  if (size > MOST_RUNS) {
    throw new Unreadable(
      trans.__('%1 are %2 values; an array takes %3.', `${first}..${last}`, size, MOST_RUNS),
    );
  }
  const step = last < first ? -1 : 1;
  return Array.from({ length: size }, (_, index) => first + step * index);
}

function readValue(kind: FieldKind, piece: string, trans: TranslationBundle): unknown {
  switch (kind) {
    case 'number':
    case 'integer':
      return exactNumber(piece, trans);
    case 'flag':
      return piece.toLowerCase() === 'true';
    case 'text':
      return unquoted(piece) ?? piece;
    default:
      return literal(piece);
  }
}

function exactNumber(piece: string, trans: TranslationBundle): number {
  const value = Number(piece.replaceAll('_', ''));
  if (INTEGER.test(piece) && !Number.isSafeInteger(value)) {
    throw new Unreadable(trans.__('%1 has too many digits to be one of several values.', piece));
  }
  return value;
}

function literal(piece: string): unknown {
  if (CONSTANTS.has(piece)) {
    return CONSTANTS.get(piece);
  }
  try {
    return JSON.parse(piece);
  } catch {
    return unquoted(piece) ?? piece;
  }
}

function unquoted(piece: string): string | undefined {
  return /^(["'])(.*)\1$/s.exec(piece)?.[2];
}

/** Parts between commas that stand in no quotes and no brackets; an apostrophe in a word is no quote. */
function pieces(text: string): string[] {
  const found = [''];
  let depth = 0;
  let quote = '';
  for (const sign of text) {
    const current = found[found.length - 1] ?? '';
    if (sign === ',' && depth === 0 && quote === '') {
      found.push('');
      continue;
    }
    if (quote !== '') {
      quote = sign === quote ? '' : quote;
    } else if (/["']/.test(sign) && (depth > 0 || current.trim() === '')) {
      quote = sign;
    } else {
      depth = Math.max(0, depth + ('([{'.includes(sign) ? 1 : 0) - (')]}'.includes(sign) ? 1 : 0));
    }
    found[found.length - 1] = current + sign;
  }
  return found.map(piece => piece.trim()).filter(piece => piece !== '');
}
