/** A Jupyter server for tests: a fetch that answers from a table, and keeps what it was asked. */

import { ServerConnection } from '@jupyterlab/services';
import { Client } from '../src/api';

export type Answer = { status?: number; body: unknown } | 'never' | 'unreachable';

export class TestServer {
  readonly asked: string[] = [];
  readonly client: Client;
  private readonly waiting: ((asked: string) => void)[] = [];

  constructor(answer: (asked: string, body: unknown) => Answer) {
    const fetch = async (input: RequestInfo | URL) => {
      const request = input as Request;
      const asked = `${request.method} ${request.url.replace('http://localhost:8888/nbbatch/', '')}`;
      const text = await request.text();
      this.asked.push(asked);
      for (const told of this.waiting.splice(0)) {
        told(asked);
      }
      return this.reply(answer(asked, text ? JSON.parse(text) : null), request.signal);
    };
    this.client = new Client(
      ServerConnection.makeSettings({
        baseUrl: 'http://localhost:8888/',
        fetch,
        init: { cache: 'no-store' },
      }),
    );
  }

  /** The next request that comes in. */
  next(): Promise<string> {
    return new Promise(resolve => this.waiting.push(resolve));
  }

  private reply(answer: Answer, signal: AbortSignal): Promise<Response> {
    if (answer === 'unreachable') {
      return Promise.reject(new TypeError('Failed to fetch'));
    }
    if (answer === 'never') {
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      });
    }
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
    return Promise.resolve(new Response(text, { status: answer.status ?? 200 }));
  }
}
