/** What the panel remembers over a reload: small values in JupyterLab's state database. */

import type { IStateDB } from '@jupyterlab/statedb';
import type { ReadonlyPartialJSONObject, ReadonlyPartialJSONValue } from '@lumino/coreutils';

const KEY = 'nbbatch:sidebar';

export class Memory {
  private readonly database: IStateDB | null;
  private values: Record<string, ReadonlyPartialJSONValue> = {};

  constructor(database: IStateDB | null) {
    this.database = database;
  }

  /** Read what was kept; until then, and without a database, nothing is remembered. */
  async load(): Promise<this> {
    const kept = await this.database?.fetch(KEY);
    if (kept && typeof kept === 'object' && !Array.isArray(kept)) {
      this.values = { ...(kept as Record<string, ReadonlyPartialJSONValue>) };
    }
    return this;
  }

  get<T extends ReadonlyPartialJSONValue>(name: string, otherwise: T): T {
    return (this.values[name] as T | undefined) ?? otherwise;
  }

  set(name: string, value: ReadonlyPartialJSONValue): void {
    this.values[name] = value;
    void this.database?.save(KEY, this.values as ReadonlyPartialJSONObject);
  }
}
