/** A widget of React that tells the store's attention while it is on the screen. */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import type { Attention } from '../attention';
import { Observable } from '../observable';

export abstract class LookedAtWidget extends ReactWidget {
  /** Whether it is on the screen, for what it draws. */
  readonly shown = new Observable(false);
  private readonly attention: Attention;
  private looking: IDisposable | null = null;

  constructor(attention: Attention) {
    super();
    this.attention = attention;
  }

  override dispose(): void {
    this.look(false);
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look(true);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.look(false);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look(this.isVisible);
  }

  private look(shown: boolean): void {
    this.shown.set(shown);
    if (shown) {
      this.looking ??= this.attention.look();
    } else {
      this.looking?.dispose();
      this.looking = null;
    }
  }
}
