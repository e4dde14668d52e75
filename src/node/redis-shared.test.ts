import { createCluster, createSentinel } from 'redis';
import { expect, test, vi } from 'vitest';
import { redisStore } from '../server/redis-store.js';
import { redisShared } from './redis-shared.js';

type End = () => unknown;

/** A client of `redis`, as far as it is needed; version 4 has `disconnect`, later ones have `destroy` as well. */
function fakeClient(ends: { disconnect: End; destroy?: End }) {
  const subscriber = {
    on: () => {},
    connect: async () => {},
    subscribe: async () => {},
    unref() {},
    ...ends,
  };
  return { sendCommand: async (_: string[]) => null, duplicate: () => subscriber };
}

const listen = (client: ReturnType<typeof fakeClient>): (() => Promise<void>) =>
  redisShared(client).listen(
    () => {},
    () => {},
  );

test('the subscription ends with a client of redis 4', async () => {
  const disconnect = vi.fn<End>();
  await listen(fakeClient({ disconnect }))();
  expect(disconnect).toHaveBeenCalledOnce();
});

test('the subscription ends with a later client of redis', async () => {
  const [disconnect, destroy] = [vi.fn<End>(), vi.fn<End>()];
  await listen(fakeClient({ disconnect, destroy }))();
  expect(destroy).toHaveBeenCalledOnce();
  expect(disconnect).not.toHaveBeenCalled();
});

test('it ends quietly although it never connected', async () => {
  const disconnect = vi.fn<End>(() => Promise.reject(new Error('The client is closed')));
  await listen(fakeClient({ disconnect }))();
  expect(disconnect).toHaveBeenCalledOnce();
});

test.each([
  ['a cluster', createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] })],
  ['sentinels', createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] })],
])('%s of redis is refused by name', (_, client) => {
  const fault = expect.objectContaining({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('ioredis'),
  });
  expect(() => redisShared(client as never)).toThrow(fault);
  expect(() => redisStore(client as never)).toThrow(fault);
});
