import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessions, folderShared, refreshTokenGrant, type Sessions } from 'one-refresh/node';
import { json, startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import { sharedLogin } from './mcp-client.js';

let server: LoopbackServer;
let folder: string;
let processes: Sessions[];
let tokenRequests: number;
beforeEach(async () => {
  server = await startLoopbackServer();
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-mcp-'));
  tokenRequests = 0;
  const refresh = refreshTokenGrant({ tokenEndpoint: `${server.origin}/token`, clientId: 'editor' });
  processes = [1, 2, 3].map(() => createSessions({ shared: folderShared(folder), refresh }));
  server.answer((request, response) => {
    if (request.url === '/token') {
      tokenRequests++;
      return json(200, {
        access_token: `access-${tokenRequests + 1}`,
        refresh_token: `refresh-${tokenRequests + 1}`,
        token_type: 'Bearer',
        expires_in: 60,
      })(request, response);
    }
    // The MCP server: it accepts every message of a client with the new token.
    if (request.headers.authorization === 'Bearer access-2') response.writeHead(202).end();
    else response.writeHead(401).end();
  });
});
afterEach(async () => {
  await Promise.all(processes.map((sessions) => sessions.close()));
  await server.close();
  await rm(folder, { recursive: true });
});

const redirects: URL[] = [];
const login: Omit<OAuthClientProvider, 'tokens' | 'saveTokens'> = {
  redirectUrl: 'http://localhost:1234/callback',
  clientMetadata: { redirect_uris: ['http://localhost:1234/callback'] },
  clientInformation: () => ({ client_id: 'editor' }),
  redirectToAuthorization: (url) => void redirects.push(url),
  saveCodeVerifier: () => {},
  codeVerifier: () => 'verifier',
};
const providers = () => processes.map((sessions) => sharedLogin(sessions.open('default'), login));

test('three clients with an expired token refresh once', async () => {
  const [first, ...others] = providers();
  await first!.saveTokens({
    access_token: 'access-1',
    refresh_token: 'refresh-1',
    token_type: 'Bearer',
    expires_in: 0,
  });
  await Promise.all(
    [first!, ...others].map(async (authProvider) => {
      const transport = new StreamableHTTPClientTransport(new URL(`${server.origin}/mcp`), { authProvider });
      await transport.start();
      await transport.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: {} });
      await transport.close();
    }),
  );
  expect(tokenRequests).toBe(1);
  expect(redirects).toHaveLength(0);
});

test('without a session the SDK signs in and shares it', async () => {
  const [first, second] = providers();
  expect(await second!.tokens()).toBeUndefined();
  const serverUrl = `${server.origin}/mcp`;
  expect(await auth(first!, { serverUrl })).toBe('REDIRECT');
  expect(redirects).toHaveLength(1);
  expect(await auth(first!, { serverUrl, authorizationCode: 'code' })).toBe('AUTHORIZED');
  expect(await second!.tokens()).toEqual({ access_token: 'access-2', token_type: 'Bearer' });
  await second!.invalidateCredentials!('tokens');
  expect(await first!.tokens()).toBeUndefined();
});
