/** The ids of all commands: they are stable, so that others can bind keys and menus to them. */

export const Commands = {
  /** Show the sidebar; `section` says which part of it. */
  open: 'nbbatch:open',
  /** Ask everything again. */
  refresh: 'nbbatch:refresh',
  /** Show the list of jobs: those of `queue`, of `status`; `select` one of them by its id. */
  showJobs: 'nbbatch:show-jobs',
  /** Submit the notebook in front as a job; `path` names another one. */
  submitNotebook: 'nbbatch:submit-notebook',
  /** Submit the notebook that is selected in the file browser. */
  submitFile: 'nbbatch:submit-file',
  /** What the others of a job take: `id`, the selected one without it. Its detail. */
  openJob: 'nbbatch:open-job',
  /** Its log, in a tab of its own. */
  openLog: 'nbbatch:open-log',
  /** Its detail, at what it has left. */
  openOutputs: 'nbbatch:open-outputs',
  /** The notebook that it executed, saved beside its source. */
  openNotebook: 'nbbatch:open-notebook',
  /** Lines that find it again, in the active notebook. */
  insertCode: 'nbbatch:insert-code',
  copyId: 'nbbatch:copy-id',
  /** Do not start it. */
  cancelJob: 'nbbatch:cancel-job',
  /** Stop it wherever it is. */
  terminateJob: 'nbbatch:terminate-job',
  /** Submit it again; of an array what failed. */
  retryJob: 'nbbatch:retry-job',
  /** Submit all items of an array again. */
  retryWhole: 'nbbatch:retry-whole-array',
} as const;
