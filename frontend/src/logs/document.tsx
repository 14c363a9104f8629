/** The document of one job's log. */

import { textEditorIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { IJobPlace } from '../detail/document';
import { short } from '../format';
import { type IServices, ServicesProvider } from '../services';
import { LookedAtWidget } from '../ui/looked_at';
import { LogViewer } from './viewer';

export class LogDocument extends LookedAtWidget {
  readonly place: IJobPlace;
  private readonly services: IServices;

  constructor(services: IServices, place: IJobPlace) {
    super(services.store.attention);
    this.services = services;
    this.place = place;
    this.id = `nbbatch-log-${place.backend}-${place.id}`;
    this.title.label = short(place.id);
    this.title.icon = textEditorIcon;
    this.title.closable = true;
    this.addClass('nb-Document');
    this.addClass('nb-mod-log');
    this.node.dataset.log = place.id;
  }

  protected override render(): React.ReactElement {
    return (
      <ServicesProvider value={this.services}>
        <LogViewer
          place={this.place}
          shown={this.shown}
          onName={name => {
            this.title.label = `${name} · log`;
            this.title.caption = `${name}\n${this.place.id}`;
          }}
        />
      </ServicesProvider>
    );
  }
}
