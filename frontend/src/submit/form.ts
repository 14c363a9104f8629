/**
 * What stands in the form of a notebook that is to be submitted, and what that asks of the server. Pure.
 *
 * Options are the server's: it names the fields, reads the texts, and says at which field something is
 * wrong. Parameters are checked here, too, so that a mistake is seen while it is typed.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IAskEstimate, INotebook, IOptionField, IParameter, ISubmitNotebook } from '../shapes';
import * as fields from './parameters';
import { type Entry, Unreadable } from './parameters';

/** What a person has chosen: as little as differs from the notebook, so that it can be remembered. */
export interface Choice {
  readonly entries: Readonly<Record<string, Entry>>;
  readonly options: Readonly<Record<string, string>>;
  readonly kernel: string;
  /** How long one run takes, as typed, for the estimate; empty: as earlier runs did. */
  readonly takes: string;
}

/** Something that keeps a form from being submitted. */
export interface Complaint {
  /** As in `fieldOf...`; empty where it belongs to no field. */
  readonly field: string;
  readonly message: string;
  readonly cure: string;
}

export const NOTHING: Choice = { entries: {}, options: {}, kernel: '', takes: '' };
/** The field of `takes`. */
export const TAKES = 'takes';

export const fieldOfParameter = (name: string): string => `parameter-${name}`;
export const fieldOfOption = (name: string): string => `option-${name}`;

/** What stands in a parameter's field. */
export function entryOf(choice: Choice, parameter: IParameter): Entry {
  return choice.entries[parameter.name] ?? fields.initialEntry(parameter);
}

/** The choice after typing into a parameter's field: a comma between numbers makes it a sweep. */
export function withText(choice: Choice, parameter: IParameter, text: string): Choice {
  const { isSweep } = entryOf(choice, parameter);
  return withEntry(choice, parameter, {
    text,
    isSweep: isSweep || fields.meansSeveral(fields.kindOf(parameter), text),
  });
}

/** The choice after asking for several values of a parameter, or for one again. */
export function withSweep(choice: Choice, parameter: IParameter, isSweep: boolean): Choice {
  return withEntry(choice, parameter, { ...entryOf(choice, parameter), isSweep });
}

function withEntry(choice: Choice, parameter: IParameter, entry: Entry): Choice {
  const initial = fields.initialEntry(parameter);
  const { [parameter.name]: _, ...others } = choice.entries;
  const isInitial = entry.text === initial.text && entry.isSweep === initial.isSweep;
  return { ...choice, entries: isInitial ? others : { ...others, [parameter.name]: entry } };
}

/** The choice after changing an option; an empty text is no option. */
export function withOption(choice: Choice, name: string, text: string): Choice {
  const { [name]: _, ...others } = choice.options;
  return { ...choice, options: text === '' ? others : { ...others, [name]: text } };
}

/** What of a remembered choice this notebook still has. */
export function stillKnown(choice: Choice, notebook: INotebook): Choice {
  return {
    entries: only(choice.entries, notebook.parameters),
    options: only(choice.options, notebook.options),
    kernel: choice.kernel,
    takes: choice.takes,
  };
}

function only<T>(values: Readonly<Record<string, T>>, known: readonly { name: string }[]): Record<string, T> {
  const names = new Set(known.map(each => each.name));
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name)));
}

/** The parameters that get several values, with them; unreadable ones left out. */
export function gridOf(
  choice: Choice,
  notebook: INotebook,
  trans: TranslationBundle,
): Record<string, unknown[]> {
  const grid: Record<string, unknown[]> = {};
  for (const parameter of swept(choice, notebook)) {
    try {
      grid[parameter.name] = fields.sweepValues(
        fields.kindOf(parameter),
        entryOf(choice, parameter).text,
        trans,
      );
    } catch (error) {
      if (!(error instanceof Unreadable)) {
        throw error;
      }
    }
  }
  return grid;
}

/** How many runs it would be: every combination of the values of a sweep. */
export function runsOf(choice: Choice, notebook: INotebook, trans: TranslationBundle): number {
  return Object.values(gridOf(choice, notebook, trans)).reduce(
    (product, values) => product * values.length,
    1,
  );
}

/** What is wrong with the parameters, field by field, and with their combinations. */
export function complaintsOf(choice: Choice, notebook: INotebook, trans: TranslationBundle): Complaint[] {
  const found = notebook.parameters
    .map(parameter => ({
      field: fieldOfParameter(parameter.name),
      message: complaintAt(choice, parameter, trans),
      cure: '',
    }))
    .filter(complaint => complaint.message !== '');
  const runs = runsOf(choice, notebook, trans);
  if (runs > fields.MOST_RUNS) {
    const message = trans.__('These are %1 combinations; an array takes %2.', runs, fields.MOST_RUNS);
    found.push({ field: '', message, cure: trans.__('Give fewer values.') });
  }
  return found;
}

function complaintAt(choice: Choice, parameter: IParameter, trans: TranslationBundle): string {
  const entry = entryOf(choice, parameter);
  const kind = fields.kindOf(parameter);
  if (entry.isSweep) {
    try {
      fields.sweepValues(kind, entry.text, trans);
      return '';
    } catch (error) {
      if (error instanceof Unreadable) {
        return error.message;
      }
      throw error;
    }
  }
  return fields.isChanged(parameter, entry) ? fields.complaintAbout(kind, entry.text, trans) : '';
}

/** The request; a field that says what the notebook says anyway is left out, so defaults stay code. */
export function requestOf(choice: Choice, notebook: INotebook, trans: TranslationBundle): ISubmitNotebook {
  const parameters: Record<string, unknown> = {};
  const expressions: Record<string, string> = {};
  for (const parameter of notebook.parameters) {
    const entry = entryOf(choice, parameter);
    if (entry.isSweep || !fields.isChanged(parameter, entry)) {
      continue;
    }
    const kind = fields.kindOf(parameter);
    if (kind === 'text') {
      parameters[parameter.name] = entry.text;
    } else if (kind === 'flag') {
      parameters[parameter.name] = entry.text.trim().toLowerCase() === 'true';
    } else {
      expressions[parameter.name] = entry.text.trim();
    }
  }
  const grid = gridOf(choice, notebook, trans);
  const options = optionsOf(choice, notebook);
  return { path: notebook.path, parameters, expressions, grid, options, kernel: choice.kernel, output: '' };
}

/** What to ask for an estimate, which also checks the options. */
export function estimateOf(choice: Choice, notebook: INotebook, trans: TranslationBundle): IAskEstimate {
  const items = runsOf(choice, notebook, trans);
  const seconds = choice.takes.trim() || null;
  return { path: notebook.path, options: optionsOf(choice, notebook), items, seconds };
}

/** Options as the server takes them: lines become a list, the rest stays as it was typed. */
export function optionsOf(choice: Choice, notebook: INotebook): Record<string, unknown> {
  const given = notebook.options.filter(option => (choice.options[option.name] ?? '') !== '');
  return Object.fromEntries(
    given.map(option => [option.name, asGiven(option, choice.options[option.name] ?? '')]),
  );
}

function asGiven(option: IOptionField, text: string): unknown {
  const isLines = option.kind === 'pairs' || option.kind === 'list';
  return isLines ? text.split('\n').filter(line => line.trim() !== '') : text.trim();
}

/** The field that the server means: `options.memory`, `grid.lr`, `kernel`; empty where there is none. */
export function fieldNamed(place: string, notebook: INotebook): string {
  const [group = '', name = ''] = place.split('.', 2);
  if (place === 'kernel') {
    return fieldOfOption(place);
  }
  if (place === 'seconds') {
    return TAKES;
  }
  if (group === 'options') {
    return notebook.options.some(option => option.name === name) ? fieldOfOption(name) : '';
  }
  return notebook.parameters.some(parameter => parameter.name === name) ? fieldOfParameter(name) : '';
}

function swept(choice: Choice, notebook: INotebook): IParameter[] {
  return notebook.parameters.filter(parameter => entryOf(choice, parameter).isSweep);
}

const MIB_PER_GIB = 1024;

/** What holds where an option is left empty, with the unit that the server's bare numbers have. */
export function defaultOf({ kind, default: value }: IOptionField): string {
  if (!/^\d+$/.test(value)) {
    return value;
  }
  const number = Number(value);
  switch (kind) {
    case 'memory':
      return number % MIB_PER_GIB === 0 ? `${number / MIB_PER_GIB}G` : `${number}M`;
    case 'duration':
      return `${number}s`;
    default:
      return value;
  }
}
