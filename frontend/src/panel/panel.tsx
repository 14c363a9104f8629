/** The panel in the left area: a heading with the backend, tabs, and the section in front. */

import * as React from 'react';
import { Observable, useValue } from '../observable';
import { type IServices, ServicesProvider, useServices } from '../services';
import type { ISection, ISidebar } from '../sidebar';
import { LookedAtWidget } from '../ui/looked_at';
import { Banner } from './banner';
import { Heading } from './heading';
import { Tabs } from './tabs';

const OPEN = 'section';

export class SidebarPanel extends LookedAtWidget implements ISidebar {
  readonly services: IServices;
  private readonly sections = new Observable<readonly ISection[]>([]);
  private readonly open_: Observable<string>;

  constructor(services: IServices) {
    super(services.store.attention);
    this.services = services;
    this.open_ = new Observable('');
    void services.memory.ready.then(() => this.open_.set(this.open_.value || services.memory.get(OPEN, '')));
    this.id = 'nbbatch-sidebar';
    this.addClass('nb-Sidebar');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'nbbatch');
  }

  add(section: ISection): void {
    const sections = [...this.sections.value, section];
    this.sections.set(sections.sort((one, other) => one.rank - other.rank));
  }

  open(section: string): void {
    if (section) {
      this.bringForward(section);
    }
    this.services.app.shell.activateById(this.id);
  }

  private bringForward(section: string): void {
    this.open_.set(section);
    this.services.memory.set(OPEN, section);
  }

  protected override render(): React.ReactElement {
    return (
      <ServicesProvider value={this.services}>
        <Sidebar sections={this.sections} open={this.open_} onOpen={id => this.bringForward(id)} />
      </ServicesProvider>
    );
  }
}

interface ISidebarProps {
  readonly sections: Observable<readonly ISection[]>;
  readonly open: Observable<string>;
  readonly onOpen: (id: string) => void;
}

function Sidebar({ sections, open, onOpen }: ISidebarProps): React.ReactElement {
  const { store } = useServices();
  const all = useValue(sections);
  const wanted = useValue(open);
  const isDown = useValue(store.connection).kind === 'down';
  const front = all.find(section => section.id === wanted) ?? all[0];
  const opened = React.useRef(new Set<string>());
  if (front) {
    opened.current.add(front.id);
  }
  return (
    <>
      <Heading />
      <Tabs sections={all} open={front?.id ?? ''} onOpen={onOpen} />
      <Banner />
      {all
        .filter(section => opened.current.has(section.id))
        .map(section => (
          <div
            key={section.id}
            className="nb-Section"
            role="tabpanel"
            id={`nbbatch-section-${section.id}`}
            data-section={section.id}
            aria-labelledby={`nbbatch-tab-${section.id}`}
            data-stale={isDown || undefined}
            hidden={section !== front}
          >
            <section.component active={section === front} />
          </div>
        ))}
    </>
  );
}
