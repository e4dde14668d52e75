import { createFetch } from 'one-refresh/fetch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFakeSession } from '../test/support/fake-session.js';
import { json, startLoopbackServer, type LoopbackServer } from '../test/support/loopback-server.js';
import { createGraphQL } from './graphql.js';

let api: LoopbackServer;
beforeAll(async () => {
  api = await startLoopbackServer();
});
afterAll(() => api.close());

test('UNAUTHENTICATED with a 200 leads to one refresh and retry', async () => {
  const session = createFakeSession();
  const graphql = createGraphQL(api.origin, session, createFetch(session, { allowedOrigins: [api.origin] }));
  const refused = { errors: [{ message: 'sign in', extensions: { code: 'UNAUTHENTICATED' } }] };
  api.answer((request, response) =>
    json(200, request.headers.authorization === 'Bearer first-2' ? { data: { me: 'Ada' } } : refused)(
      request,
      response,
    ),
  );
  const query = '{ me }';
  expect(await Promise.all([graphql(query), graphql(query)])).toEqual([{ me: 'Ada' }, { me: 'Ada' }]);
  expect(session.refreshes).toBe(1);
  api.answer(json(200, refused));
  await expect(graphql(query, { a: 1 })).rejects.toThrow('sign in');
  expect(api.received.map(({ body }) => JSON.parse(body) as unknown)[0]).toEqual({
    query,
    variables: { a: 1 },
  });
});
