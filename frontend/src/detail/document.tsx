/** The document of one job. */

import * as React from 'react';
import { short } from '../format';
import { sidebarIcon } from '../icons';
import { Observable } from '../observable';
import { type IServices, ServicesProvider } from '../services';
import { LookedAtWidget } from '../ui/looked_at';
import { Detail } from './detail';

export interface IJobPlace {
  readonly id: string;
  readonly backend: string;
}

export class DetailDocument extends LookedAtWidget {
  readonly place: IJobPlace;
  private readonly services: IServices;
  private readonly revealed = new Observable(0);

  constructor(services: IServices, place: IJobPlace) {
    super(services.store.attention);
    this.services = services;
    this.place = place;
    this.id = `nbbatch-detail-${place.backend}-${place.id}`;
    this.title.label = short(place.id);
    this.title.icon = sidebarIcon;
    this.title.closable = true;
    this.addClass('nb-Document');
    this.node.dataset.detail = place.id;
  }

  /** Bring what the job has left into view. */
  reveal(_: 'outputs'): void {
    this.revealed.set(this.revealed.value + 1);
  }

  protected override render(): React.ReactElement {
    return (
      <ServicesProvider value={this.services}>
        <Detail
          place={this.place}
          revealed={this.revealed}
          onName={name => {
            this.title.label = name;
            this.title.caption = `${name}\n${this.place.id}`;
          }}
        />
      </ServicesProvider>
    );
  }
}
