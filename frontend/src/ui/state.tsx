/** What a section shows while it has nothing to show: that it asks, why it cannot, or that there is nothing. */

import * as React from 'react';
import { useValue } from '../observable';
import { useServices } from '../services';
import type { IFresh } from './fresh';

/** A failure, unless the banner above tells of it already; nothing once there is an answer without one. */
export function Trouble({ fresh }: { readonly fresh: IFresh<unknown> }): React.ReactElement | null {
  const { store, trans } = useServices();
  const isDown = useValue(store.connection).kind === 'down';
  if (fresh.error === null || (isDown && fresh.error.passing)) {
    return fresh.answer === null && !isDown ? <Hint text={trans.__('Asking…')} /> : null;
  }
  const isPlain = fresh.error.reason === 'NotOnAwsError'; // nothing is wrong: an account just has none of it
  return (
    <div className={`nb-Trouble${isPlain ? ' nb-mod-plain' : ''}`} role={isPlain ? 'status' : 'alert'}>
      <p>{fresh.error.message}</p>
      {fresh.error.cure && <p className="nb-weak">{fresh.error.cure}</p>}
    </div>
  );
}

/** A sentence in the middle of an empty section. */
export function Hint({ text }: { readonly text: string }): React.ReactElement {
  return (
    <p className="nb-Hint" role="status">
      {text}
    </p>
  );
}
