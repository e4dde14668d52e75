import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json, startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import type { RefreshRequest, TokenClient } from '../types.js';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from './index.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());

const pair = { access_token: 'access-2', token_type: 'Bearer', expires_in: 60, refresh_token: 'refresh-2' };

function client(options: Partial<RefreshTokenGrantOptions> = {}): TokenClient {
  return refreshTokenGrant({ tokenEndpoint: `${server.origin}/token`, clientId: 'app', ...options });
}

function request(changes: Partial<RefreshRequest> = {}): RefreshRequest {
  const { signal } = new AbortController();
  return {
    refreshToken: 'refresh-1',
    sessionId: 'session',
    version: 3,
    attempt: 1,
    idempotencyKey: 'key',
    signal,
    ...changes,
  };
}

describe('the token request', () => {
  test("is a public client's grant without a CORS preflight", async () => {
    server.answer(json(200, pair));
    await client().refresh(request());
    const [sent] = server.received;
    expect(sent).toMatchObject({ method: 'POST', url: '/token' });
    expect(Object.fromEntries(sent?.form ?? [])).toStrictEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-1',
      client_id: 'app',
    });
    expect(sent?.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8');
    expect(sent?.headers.authorization).toBeUndefined();
    expect(sent?.headers.dpop).toBeUndefined();
  });

  test('carries what the options and the request ask for', async () => {
    server.answer(json(200, pair));
    const options = {
      scope: 'openid',
      versionParameter: 'version',
      idempotencyHeader: 'Idempotency-Key',
      parameters: { audience: 'shop' },
    };
    await client(options).refresh(request({ resource: 'https://api.example' }));
    expect(Object.fromEntries(server.received[0]?.form ?? [])).toStrictEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-1',
      client_id: 'app',
      scope: 'openid',
      version: '3',
      audience: 'shop',
      resource: 'https://api.example',
    });
    expect(server.received[0]?.headers['idempotency-key']).toBe('key');
  });

  test('its own scope goes before the one in options', async () => {
    server.answer(json(200, pair));
    await client({ scope: 'openid' }).refresh(request({ scope: 'mail' }));
    expect(server.received[0]?.form.get('scope')).toBe('mail');
  });

  test('leaves in the task that asked for it', async () => {
    let sent = false;
    const fetch = (): Promise<Response> => {
      sent = true;
      return Promise.reject(new TypeError('offline'));
    };
    const refreshing = client({ fetch }).refresh(request());
    const nextTask = new Promise<boolean>((resolve) => setImmediate(() => resolve(sent)));
    await expect(refreshing).rejects.toMatchObject({ refreshOutcome: 'unavailable' });
    expect(await nextTask).toBe(true);
  });

  test('can be aborted', async () => {
    const controller = new AbortController();
    server.answer(() => controller.abort());
    const refreshing = client().refresh(request({ signal: controller.signal }));
    await expect(refreshing).rejects.toMatchObject({ refreshOutcome: 'unavailable' });
  });

  test('uses the given fetch, and keeps nothing of errors', async () => {
    const thrown = Object.assign(new Error('POST failed: refresh-1'), {
      name: 'AxiosError',
      config: 'refresh-1',
    });
    const fetch = (): Promise<Response> => Promise.reject(thrown);
    const error = (await client({ fetch })
      .refresh(request())
      .catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({
      refreshOutcome: 'unavailable',
      cause: { name: 'AxiosError', message: 'POST failed: [token]' },
    });
    expect(JSON.stringify([error, error.cause, error.message, (error.cause as Error).message])).not.toContain(
      'refresh-1',
    );
  });

  test('a fetch may speak for itself', async () => {
    const outcome = Object.assign(new Error('mine'), { refreshOutcome: 'rejected', error: 'invalid_grant' });
    await expect(client({ fetch: () => Promise.reject(outcome) }).refresh(request())).rejects.toBe(outcome);
  });

  test('a session without a refresh token is over', async () => {
    server.answer(json(200, pair));
    const { refreshToken: _none, ...without } = request();
    await expect(client().refresh(without)).rejects.toMatchObject({
      refreshOutcome: 'rejected',
      error: 'invalid_grant',
    });
    expect(server.received).toHaveLength(0);
  });
});
