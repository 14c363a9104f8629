/** The day's cap: how much of it is used, and a field that sets it, where the backend can hold one. */

import * as React from 'react';
import { asApiError } from '../api';
import { dollars } from '../format';
import { useServices } from '../services';
import type { IBudget, ICosts } from '../shapes';
import { budgetShare, capOf } from './model';

export function Budget({ costs }: { readonly costs: ICosts }): React.ReactElement | null {
  const { trans } = useServices();
  const [told, setTold] = React.useState<{ from: ICosts; budget: IBudget } | null>(null);
  const [isEditing, edit] = React.useState(false);
  const budget = told?.from === costs ? told.budget : costs.budget;
  if (budget === null) {
    return null;
  }
  return (
    <div className="nb-Budget" data-cost="budget">
      <Used budget={budget} />
      {isEditing ? (
        <Form
          budget={budget}
          onClose={() => edit(false)}
          onSet={now => {
            setTold({ from: costs, budget: now });
            edit(false);
          }}
        />
      ) : (
        <button type="button" className="nb-Link" onClick={() => edit(true)}>
          {budget.perDay === null ? trans.__('Set a budget for the day') : trans.__('Change')}
        </button>
      )}
    </div>
  );
}

function Used({ budget }: { readonly budget: IBudget }): React.ReactElement | null {
  const { trans } = useServices();
  const share = budgetShare(budget);
  if (budget.perDay === null || share === null) {
    return null;
  }
  const words = trans.__('%1 of %2 used today', dollars(budget.spentToday), dollars(budget.perDay));
  return (
    <>
      <div
        className={`nb-Bar nb-mod-thin${budget.isSpent ? ' nb-mod-error' : ''}`}
        role="img"
        aria-label={words}
      >
        <span data-part="used" style={{ width: `${share * 100}%` }} />
      </div>
      <span>{words}</span>
      {budget.isSpent && <p role="alert">{trans.__('It is spent: no job starts before tomorrow (UTC).')}</p>}
    </>
  );
}

interface IFormProps {
  readonly budget: IBudget;
  readonly onSet: (budget: IBudget) => void;
  readonly onClose: () => void;
}

function Form({ budget, onSet, onClose }: IFormProps): React.ReactElement {
  const { store, trans } = useServices();
  const [text, setText] = React.useState(budget.perDay === null ? '' : String(budget.perDay));
  const [problem, setProblem] = React.useState('');
  const perDay = capOf(text);
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    try {
      onSet(await store.ask('POST costs/budget', { body: { perDay } }));
    } catch (error) {
      const { message, cure } = asApiError(error);
      setProblem(`${message} ${cure}`);
    }
  };
  return (
    <form onSubmit={event => void submit(event)} aria-label={trans.__('Budget for the day')}>
      <label>
        {trans.__('Dollars a day')}
        <input
          className="jp-mod-styled"
          inputMode="decimal"
          placeholder={trans.__('none')}
          value={text}
          aria-invalid={perDay === undefined}
          onChange={event => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" className="nb-Button" disabled={perDay === undefined}>
        {trans.__('Set')}
      </button>
      <button type="button" className="nb-Button" onClick={onClose}>
        {trans.__('Cancel')}
      </button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
