/**
 * The form of one notebook while it is open: what the server says of the notebook, what the user has
 * chosen, what it would cost, and what is wrong with it. The server reads the options; it is asked for
 * an estimate whenever they change, and what it refuses then is shown before anything is submitted.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { type AnswerOf, type ApiError, asApiError, type IAsk, type Route } from '../api';
import { type IObservable, Observable } from '../observable';
import type { IEstimate, INotebook, IParameter, ISubmitted } from '../shapes';
import {
  type Choice,
  type Complaint,
  complaintsOf,
  estimateOf,
  fieldNamed,
  requestOf,
  runsOf,
  stillKnown,
  withOption,
  withSweep,
  withText,
} from './form';

/** Asks the routes. */
export interface IAsker {
  ask<R extends Route>(route: R, asked?: IAsk<R>): Promise<AnswerOf<R>>;
}

export interface ISubmitState {
  /** Name of the backend it goes to; empty for the server's default one. */
  readonly backend: string;
  /** Null until it was answered. */
  readonly notebook: INotebook | null;
  readonly choice: Choice;
  /** How many runs it is; 1 without a sweep. */
  readonly runs: number;
  readonly estimate: IEstimate | null;
  readonly complaints: readonly Complaint[];
  /** Why there is no form. */
  readonly error: ApiError | null;
  readonly isSubmitting: boolean;
}

const PAUSE = 350;

export class SubmitModel implements IDisposable {
  readonly path: string;
  private readonly api: IAsker;
  private readonly trans: TranslationBundle;
  private readonly state_: Observable<ISubmitState>;
  private refused: Complaint[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private round = 0;
  private disposed = false;

  constructor(api: IAsker, path: string, backend: string, choice: Choice, trans: TranslationBundle) {
    this.api = api;
    this.path = path;
    this.trans = trans;
    this.state_ = new Observable<ISubmitState>({
      backend,
      notebook: null,
      choice,
      runs: 1,
      estimate: null,
      complaints: [],
      error: null,
      isSubmitting: false,
    });
  }

  get state(): IObservable<ISubmitState> {
    return this.state_;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
  }

  /** Ask what the notebook takes, as it is in its file now. */
  async load(): Promise<void> {
    const { backend } = this.state.value;
    try {
      const notebook = await this.api.ask('GET notebooks', { query: { backend, path: this.path } });
      if (backend === this.state.value.backend) {
        this.patch({ notebook, error: null });
        this.choose(stillKnown(this.state.value.choice, notebook));
      }
    } catch (error) {
      this.patch({ notebook: null, error: asApiError(error) });
    }
  }

  /** Send it to another backend, which may have other queues and defaults. */
  setBackend(backend: string): Promise<void> {
    this.patch({ backend, estimate: null });
    return this.load();
  }

  setText(parameter: IParameter, text: string): void {
    this.choose(withText(this.state.value.choice, parameter, text));
  }

  setSweep(parameter: IParameter, isSweep: boolean): void {
    this.choose(withSweep(this.state.value.choice, parameter, isSweep));
  }

  setOption(name: string, text: string): void {
    this.choose(withOption(this.state.value.choice, name, text));
  }

  setKernel(kernel: string): void {
    this.choose({ ...this.state.value.choice, kernel });
  }

  setTakes(takes: string): void {
    this.choose({ ...this.state.value.choice, takes });
  }

  /** Submit it; undefined where the server refused, which the form then tells. */
  async submit(): Promise<ISubmitted | undefined> {
    const { notebook, choice, backend } = this.state.value;
    if (notebook === null) {
      return undefined;
    }
    this.patch({ isSubmitting: true });
    try {
      const body = requestOf(choice, notebook, this.trans);
      return await this.api.ask('POST notebooks', { query: { backend }, body });
    } catch (error) {
      this.refuse(notebook, asApiError(error));
      return undefined;
    } finally {
      this.patch({ isSubmitting: false });
    }
  }

  /** Tell of something that went wrong before the server was asked. */
  fail(message: string): void {
    this.refused = [{ field: '', message, cure: '' }];
    this.check();
  }

  private choose(choice: Choice): void {
    this.refused = [];
    this.patch({ choice });
    this.check();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.estimate(), PAUSE);
  }

  private async estimate(): Promise<void> {
    const { notebook, choice, backend } = this.state.value;
    if (notebook === null || this.disposed) {
      return;
    }
    this.round += 1;
    const round = this.round;
    try {
      const body = estimateOf(choice, notebook, this.trans);
      const estimate = await this.api.ask('POST estimate', { query: { backend }, body });
      if (round === this.round) {
        this.patch({ estimate });
      }
    } catch (error) {
      if (round === this.round) {
        this.patch({ estimate: null });
        this.refuse(notebook, asApiError(error));
      }
    }
  }

  private refuse(notebook: INotebook, { message, cure, field }: ApiError): void {
    this.refused = [{ field: fieldNamed(field, notebook), message, cure }];
    this.check();
  }

  private check(): void {
    const { notebook, choice } = this.state.value;
    if (notebook !== null) {
      const complaints = [...complaintsOf(choice, notebook, this.trans), ...this.refused];
      this.patch({ complaints, runs: runsOf(choice, notebook, this.trans) });
    }
  }

  private patch(changes: Partial<ISubmitState>): void {
    if (!this.disposed) {
      this.state_.set({ ...this.state_.value, ...changes });
    }
  }
}
