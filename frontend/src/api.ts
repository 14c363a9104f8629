/**
 * The one way to the server: addresses below `<base url>/nbbatch/`, the token and the XSRF cookie by
 * JupyterLab's own ServerConnection, and every failure as an `ApiError` that says what happened and
 * what to do. What the answers look like is in `shapes.ts`, which is made from Python.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { type IProblem, type IRoutes, PREFIX } from './shapes';

/** A value of a query; what is undefined or empty is left out. */
export type QueryValue = string | number | undefined;

/** A request that failed: a user's mistake, a backend that does not answer, or no server at all. */
export class ApiError extends Error {
  /** HTTP's status; 0 where no answer came. */
  readonly status: number;
  /** The member of the request that is wrong, if one is. */
  readonly field: string;
  /** What to do about it. */
  readonly cure: string;
  /** The error's class on the server, such as `NoDaemon`; empty where it is none of nbbatch's. */
  readonly reason: string;

  constructor(message: string, { status = 0, field = '', cure = '', reason = '' } = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.field = field;
    this.cure = cure;
    this.reason = reason;
  }

  /** Whether asking again later may help: the request was fine, whoever should answer was not. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Any failure as an ApiError. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  return new ApiError(error instanceof Error ? error.message : String(error));
}

/** Whether a request ended because whoever asked no longer wanted to know. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** Names of the routes, such as `GET jobs/{id}`. */
export type Route = keyof IRoutes;
export type AnswerOf<R extends Route> = IRoutes[R]['answer'];

/** What a route is given. */
export interface IAsk<R extends Route> {
  /** The job's, for a route with `{id}`. */
  readonly id?: string;
  /** The child's, for a route with `{index}`. */
  readonly index?: number;
  readonly query?: Partial<Record<IRoutes[R]['query'] | 'backend' | 'folder', QueryValue>>;
  readonly body?: IRoutes[R]['request'];
  readonly signal?: AbortSignal;
}

/** Asks the routes. */
export class Client {
  private readonly settings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {
    this.settings = settings;
  }

  /** Ask a route; raises an ApiError, or an AbortError once the signal says so. */
  async ask<R extends Route>(route: R, asked: IAsk<R> = {}): Promise<AnswerOf<R>> {
    const [method, path] = route.split(' ') as [string, string];
    const place = path
      .replace('{id}', encodeURIComponent(asked.id ?? ''))
      .replace('{index}', String(asked.index ?? ''));
    const url = URLExt.join(this.settings.baseUrl, PREFIX, place) + inQuery(asked.query ?? {});
    const response = await this.reach(url, request(method, asked));
    const text = await response.text();
    if (!response.ok) {
      throw refusal(response.status, text);
    }
    return JSON.parse(text) as AnswerOf<R>;
  }

  private async reach(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      if (init.signal?.aborted) {
        throw new DOMException('No longer wanted', 'AbortError');
      }
      throw new ApiError('The Jupyter server does not answer.', {
        cure: 'Does it run, and is there a way to it? It is asked again.',
      });
    }
  }
}

function request<R extends Route>(method: string, { body, signal }: IAsk<R>): RequestInit {
  // with 'no-store' JupyterLab adds the time to each address, which is no parameter of ours
  const wanted: RequestInit = { method, cache: 'no-cache', ...(signal ? { signal } : {}) };
  if (method === 'GET') {
    return wanted;
  }
  return { ...wanted, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) };
}

function inQuery(query: Record<string, QueryValue>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

function refusal(status: number, text: string): ApiError {
  const told = parsed(text);
  if (told) {
    return new ApiError(told.message, { ...told, status });
  }
  if (status === 404) {
    return new ApiError("nbbatch's half in the Jupyter server does not run.", {
      status: 503,
      cure: 'Install nbbatch where the server runs, see `jupyter server extension list`, and restart the server.',
    });
  }
  return new ApiError(`The Jupyter server answered with HTTP ${status}.`, {
    status,
    cure: text.slice(0, 200),
  });
}

/** The members of a refusal; nothing where the text is not one of nbbatch's. */
function parsed(text: string): IProblem | undefined {
  try {
    const told: unknown = JSON.parse(text);
    const isOurs = typeof told === 'object' && told !== null && 'message' in told;
    return isOurs ? (told as IProblem) : undefined;
  } catch {
    return undefined;
  }
}
