import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLoopbackServer, type LoopbackServer } from '../test/support/loopback-server.js';
import { serverEvents, type ServerEvent } from './event-source.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());

test('events are read as they come, across broken streams', async () => {
  server.answer((request, response) => {
    if (server.received.length === 3) return void response.writeHead(403).end();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\nretry: 5\nid: 7\ndata: one\ndata: two\n\nevent: na');
    response.end(`med\r\ndata:${String(request.headers['last-event-id'] ?? 'none')}\r\n\r\ndata: unfinished`);
  });
  const events: ServerEvent[] = [];
  const reading = (async () => {
    for await (const event of serverEvents(server.origin, fetch)) events.push(event);
  })();
  await expect(reading).rejects.toThrow('No events (403)');
  const first = { type: 'message', data: 'one\ntwo' };
  expect(events).toEqual([first, { type: 'named', data: 'none' }, first, { type: 'named', data: '7' }]);
});

test('a signal ends them', async () => {
  server.answer((_request, response) => void response.writeHead(200).write('data: x\n\n'));
  const controller = new AbortController();
  const events = serverEvents(server.origin, fetch, { signal: controller.signal, retryMs: 1 });
  expect((await events.next()).value).toEqual({ type: 'message', data: 'x' });
  controller.abort();
  expect(await events.next()).toEqual({ done: true, value: undefined });
  expect(server.received).toHaveLength(1);
});

test('an ended session ends them', async () => {
  const signedOut = Object.assign(new Error('signed out'), { code: 'ERR_SIGNED_OUT' });
  const events = serverEvents(server.origin, () => Promise.reject(signedOut));
  await expect(events.next()).rejects.toBe(signedOut);
});

test('leaving the loop ends the response', async () => {
  let closed = 0;
  server.answer((_request, response) => {
    response.on('close', () => closed++);
    response.writeHead(200).write('retry: soon\n\ndata: x\n\n');
  });
  for await (const event of serverEvents(server.origin, fetch)) {
    expect(event.data).toBe('x');
    break;
  }
  await expect.poll(() => closed).toBe(1);
});

test('a signal ends the pause before a reconnect', async () => {
  server.answer((_request, response) => void response.writeHead(200).end('data: x\n\n'));
  const controller = new AbortController();
  const events = serverEvents(server.origin, fetch, { signal: controller.signal, retryMs: 30 });
  await events.next();
  const next = events.next();
  controller.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});
