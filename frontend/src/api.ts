/**
 * The one way to the server: addresses below `<base url>/nbbatch/`, the token and the XSRF cookie by
 * JupyterLab's own ServerConnection, and every failure as an `ApiError` that says what happened and
 * what to do. What the answers look like is in `shapes.ts`, which is made from Python.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { Problem } from './shapes';

/** Values of a query; what is undefined, null or empty is left out, a list is given member by member. */
export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

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

/** Asks the routes. */
export class Client {
  private readonly settings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {
    this.settings = settings;
  }

  get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return this.send<T>(path, query, { method: 'GET', ...(signal ? { signal } : {}) });
  }

  post<T>(path: string, body: unknown, query: Query = {}): Promise<T> {
    const headers = { 'Content-Type': 'application/json' };
    return this.send<T>(path, query, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  private async send<T>(path: string, query: Query, init: RequestInit): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'nbbatch', path) + inQuery(query);
    const response = await this.reach(url, init);
    const text = await response.text();
    if (!response.ok) {
      throw refusal(response.status, text);
    }
    return JSON.parse(text) as T;
  }

  private async reach(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      if (init.signal?.aborted) {
        throw new DOMException('No longer wanted', 'AbortError');
      }
      throw new ApiError('The Jupyter server does not answer.', {
        cure: asApiError(error).message,
      });
    }
  }
}

function inQuery(query: Query): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '') {
        values.append(name, String(one));
      }
    }
  }
  const text = values.toString();
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
  return new ApiError(`The Jupyter server answered with HTTP ${status}.`, { status, cure: text.slice(0, 200) });
}

/** The members of a refusal; nothing where the text is not one of nbbatch's. */
function parsed(text: string): Problem | undefined {
  try {
    const told: unknown = JSON.parse(text);
    const isOurs = typeof told === 'object' && told !== null && 'message' in told;
    return isOurs ? (told as Problem) : undefined;
  } catch {
    return undefined;
  }
}
