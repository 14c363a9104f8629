/** What is wrong with the backend as a whole, once for all sections, and what to do about it. */

import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';
import { asApiError } from '../api';
import { useValue } from '../observable';
import { useServices } from '../services';
import { useNow } from '../ui/now';

export function Banner(): React.ReactElement | null {
  const { store } = useServices();
  const connection = useValue(store.connection);
  if (connection.kind !== 'down') {
    return null;
  }
  const { error, again } = connection;
  return error.reason === 'NoDaemon' ? (
    <Stopped message={error.message} />
  ) : (
    <Down message={error.message} cure={error.cure} again={again} />
  );
}

function Down(props: { message: string; cure: string; again: number }): React.ReactElement {
  const { store } = useServices();
  const seconds = Math.max(0, Math.ceil((props.again - useNow()) / 1_000));
  return (
    <div className="nb-Banner nb-mod-error" role="alert" data-banner="down">
      <p className="nb-Banner-what">{props.message}</p>
      {props.cure && <p className="nb-Banner-cure">{props.cure}</p>}
      <p className="nb-Banner-do">
        <Button small onClick={() => store.retry()}>
          Try again
        </Button>
        <span aria-hidden="true">{seconds > 0 ? `by itself in ${seconds} s` : 'asking…'}</span>
      </p>
    </div>
  );
}

function Stopped({ message }: { message: string }): React.ReactElement {
  const { store } = useServices();
  const [said, say] = React.useState('');
  const [busy, setBusy] = React.useState(false);
  const start = async () => {
    setBusy(true);
    try {
      await store.start();
    } catch (error) {
      say(asApiError(error).message);
    }
    setBusy(false);
  };
  return (
    <div className="nb-Banner" role="status" data-banner="stopped">
      <p className="nb-Banner-what">{message} The first job starts it, or you do.</p>
      {said && <p className="nb-Banner-cure">{said}</p>}
      <p className="nb-Banner-do">
        <Button small disabled={busy} onClick={() => void start()}>
          {busy ? 'Starting…' : 'Start it'}
        </Button>
      </p>
    </div>
  );
}
