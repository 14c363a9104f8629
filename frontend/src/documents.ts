/**
 * The documents of jobs: details and logs, one of each for a job, in the main area; in Notebook 7,
 * whose main area holds one document only, in the area below. They are there again after a reload.
 */

import type { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import { TabPanel, type Widget } from '@lumino/widgets';
import { DetailDocument } from './detail/document';
import type { IPlace } from './jobs/commands';
import { LogDocument } from './logs/document';
import type { IServices } from './services';

type JobDocument = DetailDocument | LogDocument;

export class Documents {
  private readonly services: IServices;
  private readonly details = new WidgetTracker<DetailDocument>({ namespace: 'nbbatch-details' });
  private readonly logs = new WidgetTracker<LogDocument>({ namespace: 'nbbatch-logs' });

  constructor(services: IServices) {
    this.services = services;
    this.detail = this.detail.bind(this);
    this.log = this.log.bind(this);
  }

  /** Show all about a job, or one of its parts. */
  detail(place: IPlace, at?: 'outputs'): void {
    const document = this.shown(this.details, place, whole => new DetailDocument(this.services, whole));
    if (at) {
      document.reveal(at);
    }
  }

  /** Show a job's log. */
  log(place: IPlace): void {
    this.shown(this.logs, place, whole => new LogDocument(this.services, whole));
  }

  /** Bring back what was open before a reload, by these commands. */
  restore(restorer: ILayoutRestorer | null, commands: { detail: string; log: string }): void {
    const name = (document: JobDocument) => document.id;
    const args = ({ place }: JobDocument) => ({ id: place.id, backend: place.backend });
    void restorer?.restore(this.details, { command: commands.detail, args, name });
    void restorer?.restore(this.logs, { command: commands.log, args, name });
  }

  private shown<T extends JobDocument>(
    tracker: WidgetTracker<T>,
    { id, backend = this.services.store.backend.value }: IPlace,
    make: (place: Required<IPlace> & { backend: string }) => T,
  ): T {
    const open = tracker.find(({ place }) => place.id === id && place.backend === backend);
    const document = open ?? make({ id, backend });
    const { shell } = this.services.app;
    if (!open) {
      shell.add(document, isLab(shell) ? 'main' : 'down', { type: 'nbbatch' });
      void tracker.add(document);
    }
    shell.activateById(document.id);
    bringForward(document);
    return document;
  }
}

/** Notebook 7 opens its area below, and leaves in front there what was. */
function bringForward(document: Widget): void {
  const tabs = document.parent?.parent;
  if (tabs instanceof TabPanel) {
    tabs.currentWidget = document;
  }
}

/** Whether documents have tabs of their own in the main area. */
function isLab(shell: object): shell is ILabShell {
  return 'layoutModified' in shell;
}
