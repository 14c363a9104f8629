/** The field of one parameter: typed by what the notebook says, and a button for several values. */

import { addIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import { useServices } from '../services';
import type { IParameter } from '../shapes';
import { Field, type IAttributes } from './field';
import { type Choice, type Complaint, entryOf, fieldOfParameter } from './form';
import type { SubmitModel } from './model';
import { type FieldKind, kindOf } from './parameters';

interface IProps {
  readonly model: SubmitModel;
  readonly parameter: IParameter;
  readonly choice: Choice;
  readonly complaints: readonly Complaint[];
}

export function ParameterField({ model, parameter, choice, complaints }: IProps): React.ReactElement {
  const { trans } = useServices();
  const entry = entryOf(choice, parameter);
  const kind = kindOf(parameter);
  const several = entry.isSweep
    ? trans.__('Run with one value of %1', parameter.name)
    : trans.__('Run with several values of %1', parameter.name);
  return (
    <Field
      id={fieldOfParameter(parameter.name)}
      label={parameter.name}
      note={parameter.type}
      help={parameter.help}
      complaints={complaints}
      beside={
        <button
          type="button"
          className="nb-Several"
          aria-pressed={entry.isSweep}
          aria-label={several}
          title={several}
          onClick={() => model.setSweep(parameter, !entry.isSweep)}
        >
          <addIcon.react tag="span" width="14px" />
        </button>
      }
    >
      {attributes =>
        kind === 'flag' && !entry.isSweep ? (
          <Flag attributes={attributes} text={entry.text} onText={text => model.setText(parameter, text)} />
        ) : (
          <input
            {...attributes}
            type="text"
            autoComplete="off"
            spellCheck={false}
            inputMode={isNumber(kind) && !entry.isSweep ? 'decimal' : 'text'}
            placeholder={entry.isSweep ? trans.__('values, separated by commas') : parameter.default}
            value={entry.text}
            onChange={event => model.setText(parameter, event.currentTarget.value)}
          />
        )
      }
    </Field>
  );
}

interface IFlagProps {
  readonly attributes: IAttributes;
  readonly text: string;
  readonly onText: (text: string) => void;
}

function Flag({ attributes, text, onText }: IFlagProps): React.ReactElement {
  return (
    <select {...attributes} value={text.toLowerCase()} onChange={event => onText(event.currentTarget.value)}>
      <option value="true">true</option>
      <option value="false">false</option>
    </select>
  );
}

function isNumber(kind: FieldKind): boolean {
  return kind === 'number' || kind === 'integer';
}
