/**
 * What the panel remembers over a reload: small values in JupyterLab's state database. That answers only
 * when the application has started, which waits for its plugins: nobody may wait for it to be activated.
 */

import type { IStateDB } from '@jupyterlab/statedb';
import type { ReadonlyPartialJSONObject, ReadonlyPartialJSONValue } from '@lumino/coreutils';

const KEY = 'nbbatch:sidebar';

export class Memory {
  /** Resolves when what was kept is there. */
  readonly ready: Promise<void>;
  private readonly database: IStateDB | null;
  private values: Record<string, ReadonlyPartialJSONValue> = {};

  /** Reads what was kept once `started` has come to pass; without a database there is nothing. */
  constructor(database: IStateDB | null, started: Promise<unknown>) {
    this.database = database;
    this.ready = started.then(() => this.load());
  }

  get<T extends ReadonlyPartialJSONValue>(name: string, otherwise: T): T {
    return (this.values[name] as T | undefined) ?? otherwise;
  }

  set(name: string, value: ReadonlyPartialJSONValue): void {
    this.values[name] = value;
    void this.ready.then(() => this.database?.save(KEY, this.values as ReadonlyPartialJSONObject));
  }

  private async load(): Promise<void> {
    const kept = await this.database?.fetch(KEY);
    if (kept && typeof kept === 'object' && !Array.isArray(kept)) {
      this.values = { ...(kept as Record<string, ReadonlyPartialJSONValue>), ...this.values };
    }
  }
}
