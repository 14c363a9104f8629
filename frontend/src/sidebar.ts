/**
 * The sidebar for other plugins: they add their sections to it and open them.
 *
 * A section is a React component. It is drawn when it is first opened and stays, hidden, behind the
 * others, so that what was typed into it is not lost; `active` says whether it is in front.
 */

import { Token } from '@lumino/coreutils';
import type * as React from 'react';
import type { IServices } from './services';

export interface ISectionProps {
  /** Whether this section is in front of the others. */
  readonly active: boolean;
}

export interface ISection {
  /** Stable: kept in the state database, and `data-section` in the page. */
  readonly id: string;
  /** On its tab. */
  readonly label: string;
  /** Order of the tabs, from the left. */
  readonly rank: number;
  readonly component: React.ComponentType<ISectionProps>;
}

export interface ISidebar {
  readonly services: IServices;
  /** Add a section; its tab appears at once. */
  add(section: ISection): void;
  /** Bring the sidebar and this section to the front. */
  open(section: string): void;
}

export const ISidebar = new Token<ISidebar>(
  'nbbatch:ISidebar',
  'The sidebar of nbbatch: add sections to it.',
);
