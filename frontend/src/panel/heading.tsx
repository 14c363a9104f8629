/** The heading: which backend is looked at, and a button that asks it again. */

import { HTMLSelect, refreshIcon, ToolbarButtonComponent } from '@jupyterlab/ui-components';
import * as React from 'react';
import { useValue } from '../observable';
import { useServices } from '../services';
import { chooseBackend } from './backend';

export function Heading(): React.ReactElement {
  const services = useServices();
  const { store } = services;
  const chosen = useValue(store.backend);
  const backends = useValue(store.backends);
  React.useEffect(() => {
    store.refreshBackends().catch(() => undefined); // the banner tells what does not answer
  }, [store]);
  const names = backends?.backends.map(backend => backend.name) ?? [];
  return (
    <div className="nb-Heading">
      <h2 className="nb-Heading-title">nbbatch</h2>
      {names.length > 1 && (
        <HTMLSelect
          className="nb-Heading-backend"
          aria-label="Backend"
          title="Which backend is shown"
          value={chosen || backends?.default}
          options={names}
          onChange={event => chooseBackend(services, event.currentTarget.value)}
        />
      )}
      <ToolbarButtonComponent
        className="nb-Heading-refresh"
        icon={refreshIcon}
        tooltip="Ask again"
        noFocusOnClick={false}
        onClick={() => store.retry()}
      />
    </div>
  );
}
