// A handful of behaviours for each runtime dependency, with whatever versions are installed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import 'fake-indexeddb/auto';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, UnsecuredJWT } from 'jose';

// A worker of a browser without a native channel.
delete globalThis.BroadcastChannel;
globalThis.location = new URL('https://app.example.com/');

const { createTokenCoordinator } = await import('one-refresh');
const { getDPoPKeyPair, refreshTokenGrant } = await import('one-refresh/oauth');

const received = [];
let tokens = { access_token: 'access-2', token_type: 'DPoP', refresh_token: 'refresh-2', expires_in: 60 };
async function answer(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  received.push({ path: request.url, form: new URLSearchParams(body), proof: request.headers.dpop });
  response.setHeader('content-type', 'application/json');
  const isMetadata = request.url.startsWith('/.well-known/');
  response.end(JSON.stringify(isMetadata ? metadata : request.url === '/token' ? tokens : {}));
}
const server = http.createServer((request, response) => void answer(request, response));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const metadata = { issuer, token_endpoint: `${issuer}/token`, revocation_endpoint: `${issuer}/revocation` };

// oauth4webapi (discovery, refresh, revocation), jose (the proof verifies), idb-keyval (the key is kept for other tabs).
const bound = refreshTokenGrant({ issuer, clientId: 'app', dpop: true });
const { publicKey } = await getDPoPKeyPair('app');
const jkt = await calculateJwkThumbprint(await crypto.subtle.exportKey('jwk', publicKey));
await bound.bind({ name: 'app', sessionId: 'session', tokens });
const request = {
  refreshToken: 'refresh-1',
  sessionId: 'session',
  version: 1,
  attempt: 1,
  idempotencyKey: 'k',
};
const { signal } = new AbortController();
assert.deepEqual(await bound.refresh({ ...request, signal }), tokens);
await bound.revoke('refresh-2', 'refresh_token');
const [, refreshed, revoked] = received;
assert.deepEqual(Object.fromEntries(refreshed.form), {
  client_id: 'app',
  grant_type: 'refresh_token',
  refresh_token: 'refresh-1',
});
assert.equal(revoked.path, '/revocation');
assert.equal(revoked.form.get('token'), 'refresh-2');
const { payload, protectedHeader } = await jwtVerify(refreshed.proof, EmbeddedJWK, { typ: 'dpop+jwt' });
assert.equal(payload.htu, `${issuer}/token`);
assert.equal(await calculateJwkThumbprint(protectedHeader.jwk), jkt);
const { createStore, get } = await import('idb-keyval');
const kept = await get('session:session', createStore('one-refresh-dpop', 'dpop'));
assert.equal(kept.privateKey.extractable, false);

// idb-keyval (the record), jose (a life from the token's own claims), oauth4webapi without DPoP.
const refresh = refreshTokenGrant({ issuer, clientId: 'app' });
const coordinator = createTokenCoordinator({ name: 'app', proactive: 'never', refresh });
const access_token = new UnsecuredJWT({}).setIssuedAt().setExpirationTime('1h').encode();
await coordinator.setSession({ access_token, refresh_token: 'refresh-1' });
const { expiresAt, storage } = coordinator.getSnapshot();
assert.ok(Math.abs(expiresAt - Date.now() - 3_600_000) < 60_000);
assert.equal(storage, 'indexeddb');
tokens = { ...tokens, token_type: 'Bearer' };
assert.equal(await coordinator.getAccessToken({ forceRefresh: true }), 'access-2');

// broadcast-channel: what one tab posts another hears, as a hint without a token. (It takes a while to connect.)
const { fallbackChannel } = await import(
  new URL('node_modules/one-refresh/dist/browser/fallback-channel.js', import.meta.url)
);
const [from, to] = [1, 2].map(() => fallbackChannel(`ranges-${process.pid}`, (message) => message));
const heard = new Promise((resolve) => to.open(resolve));
from.open(() => {});
const posting = setInterval(() => from.post({ type: 'pair', sessionId: 's', version: 2, token: 'x' }), 100);
const hint = await Promise.race([heard, sleep(15_000)]);
clearInterval(posting);
assert.deepEqual(hint, { type: 'changed', sessionId: 's', version: 2, term: 0 });
console.log('works');
process.exit();
