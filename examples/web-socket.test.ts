import { expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../test/support/fake-coordinator.js';
import { connect } from './web-socket.js';

class FakeSocket extends EventTarget {
  readonly sent: unknown[] = [];
  closed: number | undefined;
  send(message: string): void {
    this.sent.push(JSON.parse(message));
  }
  close(code: number): void {
    this.closed = code;
    this.dispatchEvent(new Event('close'));
  }
}

async function open() {
  const coordinator = createFakeCoordinator({}, 'access-1');
  coordinator.answer = () => Promise.resolve(coordinator.peekAccessToken() ?? '');
  const socket = new FakeSocket();
  let url = '';
  const connecting = connect('wss://api.example/', coordinator, (asked) => {
    url = asked;
    return socket as unknown as WebSocket;
  });
  socket.dispatchEvent(new Event('open'));
  await connecting;
  return { coordinator, socket, url };
}

test('the token is the first message, never in the URL', async () => {
  const { coordinator, socket, url } = await open();
  coordinator.set({ refreshStatus: 'refreshing' });
  coordinator.set({ refreshStatus: 'idle', version: 2 }, { accessToken: 'access-2' });
  await vi.waitFor(() => expect(socket.sent).toHaveLength(2));
  expect(socket.sent).toEqual([
    { type: 'authenticate', token: 'access-1' },
    { type: 'authenticate', token: 'access-2' },
  ]);
  expect(url).toBe('wss://api.example/');
});

test('the socket of a session ends with it', async () => {
  const { coordinator, socket } = await open();
  coordinator.set({ sessionId: 'second', version: 1 });
  expect([socket.closed, coordinator.subscribers()]).toEqual([4401, 0]);
});

test('without a token there is no socket', async () => {
  const { coordinator, socket } = await open();
  coordinator.answer = () => Promise.reject(new Error('signed out'));
  coordinator.set({ version: 2 });
  await vi.waitFor(() => expect(socket.closed).toBe(4401));
});

test('a server that does not wait leaves nothing behind', async () => {
  const coordinator = createFakeCoordinator({}, 'access-1');
  const socket = new FakeSocket();
  coordinator.answer = () => Promise.resolve(socket.close(1008)).then(() => 'access-1');
  const connecting = connect('wss://api.example/', coordinator, () => socket as unknown as WebSocket);
  socket.dispatchEvent(new Event('open'));
  await connecting;
  expect(coordinator.subscribers()).toBe(0);
});
