/** The field of one option of the job, by the kind that the server says. */

import * as React from 'react';
import { useServices } from '../services';
import type { IOptionField } from '../shapes';
import { Field, type IAttributes } from './field';
import { type Choice, type Complaint, fieldOfOption } from './form';
import type { SubmitModel } from './model';

interface IProps {
  readonly model: SubmitModel;
  readonly option: IOptionField;
  readonly choice: Choice;
  readonly complaints: readonly Complaint[];
}

/** Options whose choices are all there are; of the others they are only proposals. */
const CLOSED = new Set(['queue', 'preset']);
const UNITS: Partial<Record<IOptionField['kind'], string>> = {
  memory: '4G, 512M',
  duration: '90s, 2h',
};

export function OptionField({ model, option, choice, complaints }: IProps): React.ReactElement {
  const text = choice.options[option.name] ?? '';
  return (
    <Field
      id={fieldOfOption(option.name)}
      label={option.name}
      note={UNITS[option.kind]}
      help={option.help}
      complaints={complaints}
    >
      {attributes => (
        <Input
          attributes={attributes}
          option={option}
          text={text}
          onText={changed => model.setOption(option.name, changed)}
        />
      )}
    </Field>
  );
}

interface IInputProps {
  readonly attributes: IAttributes;
  readonly option: IOptionField;
  readonly text: string;
  readonly onText: (text: string) => void;
}

function Input({ attributes, option, text, onText }: IInputProps): React.ReactElement {
  const title = option.source;
  if (option.kind === 'flag' || (CLOSED.has(option.name) && option.choices.length > 0)) {
    return <Select attributes={attributes} option={option} text={text} onText={onText} />;
  }
  if (option.kind === 'pairs' || option.kind === 'list') {
    const placeholder = option.kind === 'pairs' ? 'NAME=VALUE' : option.default;
    return (
      <textarea
        {...attributes}
        title={title}
        rows={2}
        placeholder={placeholder}
        value={text}
        onChange={event => onText(event.currentTarget.value)}
      />
    );
  }
  const list = `${attributes.id}-choices`;
  return (
    <>
      <input
        {...attributes}
        title={title}
        type="text"
        autoComplete="off"
        spellCheck={false}
        list={option.choices.length > 0 ? list : undefined}
        placeholder={option.default}
        value={text}
        onChange={event => onText(event.currentTarget.value)}
      />
      {option.choices.length > 0 && (
        <datalist id={list}>
          {option.choices.map(value => (
            <option key={value} value={value} />
          ))}
        </datalist>
      )}
    </>
  );
}

function Select({ attributes, option, text, onText }: IInputProps): React.ReactElement {
  const { trans } = useServices();
  const isFlag = option.kind === 'flag';
  const values = isFlag ? ['true', 'false'] : option.choices;
  const named = (value: string) => {
    if (!isFlag) {
      return value;
    }
    return value === 'true' ? trans.__('yes') : trans.__('no');
  };
  return (
    <select
      {...attributes}
      title={option.source}
      value={text}
      onChange={event => onText(event.currentTarget.value)}
    >
      <option value="">
        {option.default ? trans.__('%1 (default)', option.default) : trans.__('default')}
      </option>
      {values.map(value => (
        <option key={value} value={value}>
          {named(value)}
        </option>
      ))}
    </select>
  );
}
