/**
 * What was chosen for a notebook, for the next time: in this browser's state, the last few notebooks;
 * and in the notebook's own metadata `nbbatch`, which `nbbatch.run_notebook` and papermill read too,
 * only if the user says so.
 */

import type { PartialJSONValue, ReadonlyPartialJSONValue } from '@lumino/coreutils';
import type { INotebook } from '../shapes';
import { type Choice, NOTHING, optionsOf } from './form';

/** Part of `Memory`. */
export interface IKeeper {
  get<T extends ReadonlyPartialJSONValue>(name: string, otherwise: T): T;
  set(name: string, value: ReadonlyPartialJSONValue): void;
}

/** Metadata of a notebook. */
export interface IMetadata {
  getMetadata(key: string): unknown;
  setMetadata(key: string, value: PartialJSONValue): void;
}

const KEY = 'submit';
const KEPT = 30;
const METADATA = 'nbbatch';

type Kept = [path: string, choice: Choice][];

/** What was chosen for this notebook the last time. */
export function recall(keeper: IKeeper, path: string): Choice {
  const found = all(keeper).find(([other]) => other === path);
  return found ? { ...NOTHING, ...found[1] } : NOTHING;
}

/** Keep a choice; the one that was used longest ago is forgotten. */
export function remember(keeper: IKeeper, path: string, choice: Choice): void {
  const others = all(keeper).filter(([other]) => other !== path);
  const isAny =
    choice.kernel + choice.takes !== '' ||
    [choice.entries, choice.options].some(each => Object.keys(each).length > 0);
  const kept: Kept = isAny ? [[path, choice], ...others] : others;
  keeper.set(KEY, kept.slice(0, KEPT) as unknown as ReadonlyPartialJSONValue);
}

/** Whether the notebook has options of its own. */
export function hasOwnOptions(metadata: IMetadata): boolean {
  return Object.keys(ownOptions(metadata)).length > 0;
}

/** Write the chosen options into the notebook, over those of the same name. */
export function keepInNotebook(metadata: IMetadata, choice: Choice, notebook: INotebook): void {
  const own = { ...ownOptions(metadata), ...optionsOf(choice, notebook) };
  metadata.setMetadata(METADATA, own as PartialJSONValue);
}

function ownOptions(metadata: IMetadata): Record<string, unknown> {
  const own = metadata.getMetadata(METADATA);
  return own !== null && typeof own === 'object' && !Array.isArray(own)
    ? (own as Record<string, unknown>)
    : {};
}

function all(keeper: IKeeper): Kept {
  const kept = keeper.get<ReadonlyPartialJSONValue>(KEY, []);
  return Array.isArray(kept) ? (kept as unknown as Kept) : [];
}
