/** The form: parameters, options, cost, and the buttons. It stays open until the server has accepted. */

import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';
import { useValue } from '../observable';
import { useServices } from '../services';
import type { INotebook, ISubmitted } from '../shapes';
import { EstimatedCost } from './cost';
import { type IDocument, metadataOf } from './document';
import { Field } from './field';
import { type Complaint, fieldOfOption, TAKES } from './form';
import type { ISubmitState, SubmitModel } from './model';
import { OptionField } from './optionField';
import { ParameterField } from './parameterField';
import { hasOwnOptions, keepInNotebook } from './remember';
import { useUnsaved } from './unsaved';

interface IProps {
  readonly model: SubmitModel;
  readonly document: IDocument;
  readonly onSubmitted: (submitted: ISubmitted) => void;
  readonly onClose: () => void;
}

export function SubmitForm({ model, document, onSubmitted, onClose }: IProps): React.ReactElement {
  const { trans } = useServices();
  const state = useValue(model.state);
  const unsaved = useUnsaved(document, () => model.load());
  const metadata = metadataOf(document);
  const [isKept, keep] = React.useState(() => metadata !== null && hasOwnOptions(metadata));
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (reasonAgainst(state) !== null) {
      return;
    }
    if (isKept && metadata && state.notebook) {
      keepInNotebook(metadata, state.choice, state.notebook);
    }
    const failure = await unsaved.save();
    if (failure) {
      model.fail(failure);
      return;
    }
    const submitted = await model.submit();
    if (submitted) {
      onSubmitted(submitted);
    }
  };
  return (
    <form className="nb-Form" noValidate onSubmit={event => void submit(event)} data-form="submit">
      <Place model={model} state={state} />
      {unsaved.isUnsaved && (
        <p className="nb-Note" role="status" data-unsaved="">
          {trans.__('The notebook has unsaved changes. The job runs the file, so it is saved first.')}{' '}
          <button type="button" className="nb-Link" onClick={() => void unsaved.save()}>
            {trans.__('Save now')}
          </button>
        </p>
      )}
      {state.error && <Failure state={state} onAgain={() => void model.load()} />}
      {!state.error && !state.notebook && <p className="nb-weak">{trans.__('Reading the notebook…')}</p>}
      {state.notebook && <Fields model={model} state={state} notebook={state.notebook} />}
      {metadata && (
        <label className="nb-Keep">
          <input type="checkbox" checked={isKept} onChange={event => keep(event.currentTarget.checked)} />
          {trans.__('Keep these options in the notebook, for every later run of it')}
        </label>
      )}
      <Foot model={model} state={state} isUnsaved={unsaved.isUnsaved} onClose={onClose} />
    </form>
  );
}

/** Which notebook goes where. */
function Place({
  model,
  state,
}: {
  readonly model: SubmitModel;
  readonly state: ISubmitState;
}): React.ReactElement {
  const { store, trans } = useServices();
  const backends = useValue(store.backends);
  const names = backends?.backends.map(backend => backend.name) ?? [];
  return (
    <div className="nb-Form-place">
      <span className="nb-mono" title={model.path}>
        {model.path}
      </span>
      {names.length > 1 && (
        <label>
          {trans.__('on')}{' '}
          <select
            className="jp-mod-styled"
            data-field="backend"
            value={state.backend || backends?.default}
            onChange={event => void model.setBackend(event.currentTarget.value)}
          >
            {names.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}

function Failure({
  state,
  onAgain,
}: {
  readonly state: ISubmitState;
  readonly onAgain: () => void;
}): React.ReactElement {
  const { trans } = useServices();
  return (
    <div className="nb-Trouble" role="alert">
      <p>{state.error?.message}</p>
      <p className="nb-weak">{state.error?.cure}</p>
      <Button small onClick={onAgain} type="button">
        {trans.__('Try again')}
      </Button>
    </div>
  );
}

interface IFieldsProps {
  readonly model: SubmitModel;
  readonly state: ISubmitState;
  readonly notebook: INotebook;
}

function Fields({ model, state, notebook }: IFieldsProps): React.ReactElement {
  const { trans } = useServices();
  const { choice, complaints } = state;
  const option = (each: INotebook['options'][number]) => (
    <OptionField key={each.name} model={model} option={each} choice={choice} complaints={complaints} />
  );
  const advanced = notebook.options.filter(each => each.isAdvanced);
  const parameters = React.useRef<HTMLFieldSetElement>(null);
  React.useEffect(() => {
    parameters.current?.closest('form')?.querySelector<HTMLElement>('.nb-Input')?.focus();
  }, []);
  const isUsed = (name: string) =>
    choice.options[name] !== undefined || complaints.some(({ field }) => field === fieldOfOption(name));
  const isOpen = advanced.some(each => isUsed(each.name)) || choice.kernel !== '';
  return (
    <>
      {notebook.warnings.map(warning => (
        <p key={warning} className="nb-Note" role="status">
          {warning}
        </p>
      ))}
      <fieldset className="nb-Fields" data-fields="parameters" ref={parameters}>
        <legend>{trans.__('Parameters')}</legend>
        {notebook.parameters.map(parameter => (
          <ParameterField
            key={parameter.name}
            model={model}
            parameter={parameter}
            choice={choice}
            complaints={complaints}
          />
        ))}
        {notebook.parameters.length === 0 && (
          <p className="nb-weak">
            {trans.__('It has none: tag the cell that assigns them “parameters” to set them here.')}
          </p>
        )}
      </fieldset>
      <fieldset className="nb-Fields" data-fields="options">
        <legend>{trans.__('Where and how it runs')}</legend>
        {notebook.options.filter(each => !each.isAdvanced).map(option)}
      </fieldset>
      <details className="nb-More" open={isOpen || undefined}>
        <summary>{trans.__('More options')}</summary>
        <div className="nb-Fields">
          <Kernel model={model} state={state} notebook={notebook} />
          {advanced.map(option)}
        </div>
      </details>
    </>
  );
}

function Kernel({ model, state, notebook }: IFieldsProps): React.ReactElement {
  const { app, trans } = useServices();
  const known = app.serviceManager.kernelspecs.specs?.kernelspecs ?? {};
  return (
    <Field
      id="option-kernel"
      label="kernel"
      help={trans.__('Instead of the one that the notebook names.')}
      complaints={state.complaints}
    >
      {attributes => (
        <>
          <input
            {...attributes}
            type="text"
            autoComplete="off"
            spellCheck={false}
            list="nbbatch-kernels"
            placeholder={notebook.kernel}
            value={state.choice.kernel}
            onChange={event => model.setKernel(event.currentTarget.value)}
          />
          <datalist id="nbbatch-kernels">
            {Object.entries(known).map(([name, spec]) => (
              <option key={name} value={name} label={spec?.display_name} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

/** Whether the estimate needs to be told how long a run takes, or was. */
function wantsTakes({ choice, estimate }: ISubmitState): boolean {
  return choice.takes !== '' || estimate?.basis === 'unknown';
}

/** The duration of a run of which nothing was measured. */
function Takes({ model, state }: { readonly model: SubmitModel; readonly state: ISubmitState }) {
  const { trans } = useServices();
  return (
    <Field id={TAKES} label={trans.__('One run takes about')} complaints={state.complaints}>
      {attributes => (
        <input
          {...attributes}
          type="text"
          autoComplete="off"
          placeholder={trans.__('20m, for the estimate')}
          value={state.choice.takes}
          onChange={event => model.setTakes(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface IFootProps {
  readonly model: SubmitModel;
  readonly state: ISubmitState;
  readonly isUnsaved: boolean;
  readonly onClose: () => void;
}

function Foot({ model, state, isUnsaved, onClose }: IFootProps): React.ReactElement {
  const { trans } = useServices();
  const against = reasonAgainst(state);
  const label = isUnsaved ? trans.__('Save and Submit') : trans.__('Submit');
  return (
    <div className="nb-Form-foot">
      {state.notebook && (
        <EstimatedCost estimate={state.estimate} runs={state.runs}>
          {wantsTakes(state) && <Takes model={model} state={state} />}
        </EstimatedCost>
      )}
      <p className="nb-Form-reason" id="nbbatch-reason" role="status" data-reason="">
        {against?.message} {against?.cure}
      </p>
      <Button type="button" className="jp-mod-styled jp-mod-reject" onClick={onClose}>
        {trans.__('Cancel')}
      </Button>
      <Button
        type="submit"
        className="jp-mod-styled jp-mod-accept"
        aria-describedby="nbbatch-reason"
        disabled={state.notebook === null || against !== null || state.isSubmitting}
      >
        {state.isSubmitting ? trans.__('Submitting…') : label}
      </Button>
    </div>
  );
}

function reasonAgainst(state: ISubmitState): Complaint | null {
  return state.complaints[0] ?? null;
}
