/** The ids of all commands: they are stable, so that others can bind keys and menus to them. */

export const Commands = {
  /** Show the sidebar; `section` says which part of it. */
  open: 'nbbatch:open',
  /** Ask everything again. */
  refresh: 'nbbatch:refresh',
} as const;
