/** The commands of a job: in the palette for the selected one, and in the menu of each row. */

import type { ICommandPalette } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Commands } from '../commands';
import type { IServices } from '../services';
import type { IJobRow } from '../shapes';
import { Actions } from './actions';
import { hasEnded } from './look';
import type { JobsModel } from './model';

interface IJobCommand {
  readonly label: string | ((row: IJobRow) => string);
  /** Whether it makes sense for this job; always without it. */
  readonly holds?: (row: IJobRow) => boolean;
  readonly execute: (id: string, row: IJobRow | undefined, backend: string | undefined) => unknown;
}

/** Which job, and on which backend; the chosen one without it. */
export interface IPlace {
  readonly id: string;
  readonly backend?: string | undefined;
}

export interface IOpeners {
  readonly detail: (place: IPlace, at?: 'outputs') => void;
  readonly log: (place: IPlace) => void;
}

export function addJobCommands(
  services: IServices,
  model: JobsModel,
  open: IOpeners,
  palette: ICommandPalette | null,
): void {
  const all = jobCommands(services, new Actions(services, model), open);
  const idOf = (args: ReadonlyPartialJSONObject) => String(args.id ?? '') || model.selected.value;
  for (const [command, entry] of Object.entries(all)) {
    services.app.commands.addCommand(command, options(entry, model, idOf));
    palette?.addItem({ command, category: 'nbbatch' });
  }
  addMenu(services, Object.keys(all));
}

type IdOf = (args: ReadonlyPartialJSONObject) => string;

function options(entry: IJobCommand, model: JobsModel, idOf: IdOf): CommandRegistry.ICommandOptions {
  const { label, holds, execute } = entry;
  const rowOf = (args: ReadonlyPartialJSONObject) => model.find(idOf(args));
  const makesSense = (args: ReadonlyPartialJSONObject) => {
    const row = rowOf(args);
    return row && holds ? holds(row) : idOf(args) !== '';
  };
  const said = (row: IJobRow | undefined) => (typeof label === 'string' ? label : label(row ?? NO_ROW));
  return {
    label: args => said(rowOf(args)),
    isEnabled: makesSense,
    isVisible: makesSense,
    describedBy: ARGUMENTS,
    execute: args => execute(idOf(args), rowOf(args), args.backend as string | undefined),
  };
}

const ARGUMENTS = {
  args: { type: 'object', properties: { id: { type: 'string' }, backend: { type: 'string' } } },
};
const NO_ROW = { size: null } as unknown as IJobRow;

function jobCommands({ trans }: IServices, actions: Actions, open: IOpeners): Record<string, IJobCommand> {
  const isNotebook = (row: IJobRow) => row.notebook !== '' && row.size === null;
  return {
    [Commands.openJob]: {
      label: trans.__('Show Job'),
      execute: (id, _, backend) => open.detail({ id, backend }),
    },
    [Commands.openLog]: {
      label: trans.__('Show Log'),
      execute: (id, _, backend) => open.log({ id, backend }),
    },
    [Commands.openOutputs]: {
      label: trans.__('Show Outputs'),
      holds: row => row.size === null && hasEnded(row.status),
      execute: (id, _, backend) => open.detail({ id, backend }, 'outputs'),
    },
    [Commands.openNotebook]: {
      label: trans.__('Open Executed Notebook'),
      holds: isNotebook,
      execute: id => actions.openNotebook(id),
    },
    [Commands.insertCode]: {
      label: trans.__('Insert Code That Reattaches the Job'),
      execute: id => actions.insertCode(id),
    },
    [Commands.copyId]: { label: trans.__('Copy Job Id'), execute: id => actions.copyId(id) },
    [Commands.cancelJob]: {
      label: trans.__('Cancel…'),
      holds: row => row.canCancel,
      execute: (id, row) => actions.cancel(id, row?.name ?? id),
    },
    [Commands.terminateJob]: {
      label: trans.__('Terminate…'),
      holds: row => row.canTerminate,
      execute: (id, row) => actions.terminate(id, row?.name ?? id),
    },
    [Commands.retryJob]: {
      label: row => (row.size === null ? trans.__('Retry') : trans.__('Retry Failed Items')),
      holds: row => row.canRetry,
      execute: id => actions.retry(id, false),
    },
    [Commands.retryWhole]: {
      label: trans.__('Submit All Items Again'),
      holds: row => row.size !== null && hasEnded(row.status),
      execute: id => actions.retry(id, true),
    },
  };
}

const BREAKS_AFTER: readonly string[] = [Commands.openNotebook, Commands.copyId];

function addMenu({ app }: IServices, commands: readonly string[]): void {
  let rank = 0;
  for (const command of commands) {
    app.contextMenu.addItem({ command, selector: '.nb-Job', rank: rank++ });
    if (BREAKS_AFTER.includes(command)) {
      app.contextMenu.addItem({ type: 'separator', selector: '.nb-Job', rank: rank++ });
    }
  }
}
