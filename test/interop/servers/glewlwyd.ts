// Glewlwyd with OpenID Connect, DPoP and refresh tokens that work once, set up through its administration API.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sendOverNetwork, withCookies, type Send } from '../code-flow.js';
import { startProgram, type RunningServer, type StartOptions } from './process.js';
import type { Place } from './real-server.js';

const CLIENT_ID = 'app';
const USER = { username: 'alice', password: 'correct horse battery' };
/** The tables and the first administrator, from the Debian package. */
const SCHEMA = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';

export async function startGlewlwyd(options: StartOptions): Promise<RunningServer> {
  const { origin, port, folder } = options;
  const sample = readFileSync(path.join(import.meta.dirname, 'glewlwyd/glewlwyd.conf'), 'utf8');
  const configuration = path.join(folder, 'glewlwyd.conf');
  writeFileSync(configuration, sample.replace('@PORT@', String(port)).replace('@ORIGIN@', origin));
  if (!existsSync(SCHEMA)) throw new Error(`There is no ${SCHEMA}`);
  execFileSync('sqlite3', ['glewlwyd.db'], { cwd: folder, input: readFileSync(SCHEMA) });
  const { stop } = await startProgram({ file: 'glewlwyd', args: ['-c', configuration], folder, port });
  try {
    await configure(options);
  } catch (error) {
    await stop();
    throw error;
  }
  const endpoint = (name: string): string => `${origin}/api/oidc/${name}`;
  return {
    client: {
      clientId: CLIENT_ID,
      scope: 'openid',
      dpop: true,
      endpoints: {
        issuer: `${origin}/api/oidc`,
        authorization_endpoint: `${endpoint('auth')}?g_continue=1`,
        // No revocation endpoint: its own asks for a client secret.
        token_endpoint: endpoint('token'),
      },
    },
    stop,
  };
}

/** The user's session at the server, and the consent to this app. */
export async function logInAtGlewlwyd(send: Send, { origin }: Place): Promise<void> {
  await call(send, origin, 'POST', '/auth/', USER);
  await call(send, origin, 'PUT', `/auth/grant/${CLIENT_ID}`, { scope: 'openid' });
}

/** As on its profile page. */
export async function endSessionAtGlewlwyd(send: Send, { origin }: Place): Promise<void> {
  const tokens = (await call(send, origin, 'GET', '/oidc/token')) as {
    token_hash: string;
    enabled: boolean;
  }[];
  for (const { token_hash: hash, enabled } of tokens)
    if (enabled) await call(send, origin, 'DELETE', `/oidc/token/${encodeURIComponent(hash)}`);
}

async function configure({ origin, redirectUri, accessTokenSeconds }: StartOptions): Promise<void> {
  const send = withCookies(sendOverNetwork);
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await call(send, origin, 'POST', '/auth/', { username: 'admin', password: 'password' });
  await call(send, origin, 'POST', '/mod/plugin/', {
    module: 'oidc',
    name: 'oidc',
    display_name: 'oidc',
    enabled: true,
    parameters: {
      iss: `${origin}/api/oidc`,
      'jwt-type': 'ecdsa',
      'jwt-key-size': '256',
      key: privateKey,
      cert: publicKey,
      'access-token-duration': accessTokenSeconds,
      'refresh-token-duration': 86_400,
      'code-duration': 600,
      'refresh-token-rolling': true,
      'refresh-token-one-use': 'always',
      'allow-non-oidc': true,
      'auth-type-code-enabled': true,
      'auth-type-refresh-enabled': true,
      'auth-type-client-enabled': false,
      'auth-type-token-enabled': false,
      'auth-type-id-token-enabled': true,
      'auth-type-password-enabled': false,
      'pkce-allowed': true,
      'pkce-method-plain-allowed': false,
      'oauth-dpop-allowed': true,
      'oauth-dpop-iat-duration': 60,
      'introspection-revocation-allowed': false,
      scope: [],
      'additional-parameters': [],
      claims: [],
    },
  });
  await call(send, origin, 'POST', '/client/', {
    client_id: CLIENT_ID,
    name: 'app',
    enabled: true,
    confidential: false,
    token_endpoint_auth_method: ['none'],
    authorization_type: ['code', 'refresh_token'],
    redirect_uri: [redirectUri],
    scope: ['openid'],
  });
  await call(send, origin, 'PUT', '/scope/openid', {
    name: 'openid',
    display_name: 'openid',
    description: 'openid',
    password_required: true,
    password_max_age: 0,
    scheme: {},
  });
  await call(send, origin, 'POST', '/user/', {
    ...USER,
    name: 'Alice',
    enabled: true,
    scope: ['openid', 'g_profile'],
  });
}

async function call(
  send: Send,
  origin: string,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const response = await send(
    new Request(`${origin}/api${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
