import { expect, test } from 'vitest';
import { ApiError } from '../src/api';
import { TestServer } from './server';

test('a route is asked below the base address, its id quoted, without what has no value', async () => {
  const server = new TestServer(() => ({ body: { jobs: [] } }));
  await server.client.ask('GET jobs/{id}/logs', {
    id: 'a b:1',
    query: { limit: 5, page: '', backend: 'aws' },
  });
  expect(server.asked).toEqual(['GET jobs/a%20b%3A1/logs?limit=5&backend=aws']);
});

test('a refusal keeps its message, field, cure and reason', async () => {
  const body = { message: 'No queue qq.', field: 'queue', cure: 'See %batch queues.', reason: 'OptionError' };
  const server = new TestServer(() => ({ status: 400, body }));
  const error = await server.client.ask('GET jobs').catch(caught => caught as ApiError);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ ...body, status: 400, passing: false });
});

test('a server without the routes, and no server at all, are told apart', async () => {
  const bare = new TestServer(() => ({ status: 404, body: '<html>Not Found</html>' }));
  await expect(bare.client.ask('GET jobs')).rejects.toMatchObject({ passing: true, status: 503 });
  const dead = new TestServer(() => 'unreachable');
  await expect(dead.client.ask('GET jobs')).rejects.toMatchObject({ passing: true, status: 0 });
});
