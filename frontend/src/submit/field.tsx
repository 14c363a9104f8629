/** A labelled field of the form, with its help and what is wrong with it. */

import * as React from 'react';
import type { Complaint } from './form';

interface IFieldProps {
  /** As in `fieldOf...`: its `data-field`, and part of the ids. */
  readonly id: string;
  readonly label: string;
  /** Beside the label: a type, a unit. */
  readonly note?: string;
  readonly help?: string;
  readonly complaints: readonly Complaint[];
  /** Beside the input: a button that belongs to it. */
  readonly beside?: React.ReactNode;
  /** Draws the input with these attributes. */
  readonly children: (attributes: IAttributes) => React.ReactElement;
}

/** What an input needs to be known to belong to its label, help and complaint. */
export interface IAttributes {
  readonly id: string;
  readonly className: string;
  readonly 'aria-invalid': boolean;
  readonly 'aria-describedby': string | undefined;
}

export function Field(props: IFieldProps): React.ReactElement {
  const id = `nbbatch-${props.id}`;
  const wrong = props.complaints.find(complaint => complaint.field === props.id);
  const described = [props.help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(' ');
  return (
    <div className="nb-Field" data-field={props.id} data-invalid={wrong ? '' : undefined}>
      <label htmlFor={id}>
        {props.label}
        {props.note && <span className="nb-weak nb-Field-note"> {props.note}</span>}
      </label>
      <div className="nb-Field-row">
        {props.children({
          id,
          className: 'nb-Input jp-mod-styled',
          'aria-invalid': wrong !== undefined,
          'aria-describedby': described || undefined,
        })}
        {props.beside}
      </div>
      {wrong && (
        <p className="nb-Field-wrong" id={`${id}-wrong`}>
          {wrong.message} {wrong.cure}
        </p>
      )}
      {props.help && (
        <p className="nb-weak nb-Field-help" id={`${id}-help`}>
          {props.help}
        </p>
      )}
    </div>
  );
}
