/** The plugin that tells of jobs that ended. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { IDisposable } from '@lumino/disposable';
import { ISidebar } from '../sidebar';
import { askBrowser, Channel } from './channel';
import { Teller } from './teller';

export const notifications: JupyterFrontEndPlugin<void> = {
  id: 'nbbatch:notifications',
  description: 'Tells of jobs that end while the page is open.',
  autoStart: true,
  requires: [ISidebar],
  activate: (_: JupyterFrontEnd, { services }: ISidebar): void => {
    const { store, settings, trans } = services;
    const teller = new Teller(settings, new Channel(services), trans);
    let listening: IDisposable | null = null;
    const follow = () => {
      const { notify, notifyBrowser } = settings.value;
      if (notify === 'none') {
        listening?.dispose();
        listening = null;
      } else {
        listening ??= store.attention.listen();
      }
      if (notifyBrowser && notify !== 'none') {
        void askBrowser();
      }
    };
    store.news.connect((_sender, news) => teller.hear(news.ended));
    settings.subscribe(follow);
    follow();
  },
};
