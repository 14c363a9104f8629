/** The ids of all commands: they are stable, so that others can bind keys and menus to them. */

export const Commands = {
  /** Show the sidebar; `section` says which part of it. */
  open: 'nbbatch:open',
  /** Ask everything again. */
  refresh: 'nbbatch:refresh',
  /** Submit the notebook in front as a job; `path` names another one. */
  submitNotebook: 'nbbatch:submit-notebook',
  /** Submit the notebook that is selected in the file browser. */
  submitFile: 'nbbatch:submit-file',
} as const;
