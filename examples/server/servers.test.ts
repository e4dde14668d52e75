import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sqliteStore, type ServerStore } from 'one-refresh/server';
import {
  createStrictEndpoint,
  refreshRequest,
  times,
  tokenRequest,
} from '../../test/server/strict-endpoint.js';
import { mountTokenEndpoint } from './express.js';
import { createApp } from './hono.js';
import { decompressed } from './node-http.js';
import { guardProvider } from './oidc-provider.js';

let store: ServerStore;
let server: http.Server | undefined;

beforeEach(() => {
  store = sqliteStore(':memory:');
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await store.close();
});

async function listen(listener: http.RequestListener): Promise<string> {
  server = http.createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}

async function successors(answers: Promise<Response>[]): Promise<unknown[]> {
  const bodies = await Promise.all(answers.map(async (answer) => (await answer).json()));
  return bodies.map((body) => (body as { refresh_token?: string }).refresh_token);
}

test('Hono: five duplicates get one answer', async () => {
  const endpoint = createStrictEndpoint();
  const app = createApp(store, endpoint.handler);
  const token = endpoint.signIn();
  const tokens = await successors(times(5, async () => app.request(refreshRequest(token))));
  expect(new Set(tokens).size).toBe(1);
  expect(endpoint.spent).toEqual([token]);
});

test('Express and Node: five duplicates get one answer', async () => {
  const endpoint = createStrictEndpoint();
  let route: ((req: http.IncomingMessage, res: http.ServerResponse) => Promise<void>) | undefined;
  mountTokenEndpoint({ post: (_path, handler) => (route = handler) }, store, endpoint.handler);
  const url = await listen((req, res) => void route?.(req, res));
  const token = endpoint.signIn();
  const tokens = await successors(times(5, async () => fetch(new Request(url, refreshRequest(token)))));
  expect(new Set(tokens).size).toBe(1);
  expect(endpoint.spent).toEqual([token]);
});

test('a provider behind: five duplicates get one answer', async () => {
  let spends = 0;
  const provider: http.RequestListener = (req, res) => {
    req.resume().on('end', () => {
      const status = spends++ === 0 ? 200 : 400;
      res.writeHead(status, { 'content-type': 'application/json' });
      res.end(
        JSON.stringify({ access_token: 'a', refresh_token: 'R2', host: req.headers['x-forwarded-host'] }),
      );
    });
  };
  const url = await listen(await guardProvider(provider, store));
  const answers = times(5, async () => fetch(new Request(url, refreshRequest('R1'))));
  const bodies = await Promise.all(answers.map(async (answer) => (await answer).json()));
  expect(new Set(bodies.map((body) => JSON.stringify({ ...(body as object), expires_in: 0 }))).size).toBe(1);
  expect((bodies[0] as { host: string }).host).toBe(new URL(url).host);
  expect(spends).toBe(1);
});

test.each([200, 400])('a provider behind may compress its %i', async (status) => {
  const body = JSON.stringify({ access_token: 'a', refresh_token: 'R2', error: 'invalid_grant' });
  const provider: http.RequestListener = (req, res) => {
    const compressed = gzipSync(body);
    const headers = { 'content-encoding': 'gzip', 'content-length': compressed.length };
    req.resume().on('end', () => res.writeHead(status, headers).end(compressed));
  };
  const url = await listen(await guardProvider(provider, store));
  for (const grant of ['authorization_code', 'refresh_token']) {
    const request = tokenRequest({ grant_type: grant, code: 'c', refresh_token: 'R1' });
    const answer = await fetch(new Request(url, request));
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([status, null]);
    expect(await answer.text()).toBe(body);
  }
});

test('the answer of a fetch is handed on decompressed', async () => {
  const headers = { 'content-encoding': 'gzip', 'content-length': '23', 'x-other': '1' };
  const answer = decompressed(new Response('<h1>plain</h1>', { status: 502, headers }));
  expect([answer.status, await answer.text()]).toEqual([502, '<h1>plain</h1>']);
  expect(Object.keys(Object.fromEntries(answer.headers))).toEqual(['content-type', 'x-other']);
});
