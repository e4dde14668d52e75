import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hash, openSessionStore, type SessionStore } from '../../demo/server/session-store.js';
import type { TokenAnswer } from '../../demo/server/token-endpoint.js';
import { sessionTable, type SessionTableOptions } from '../../demo/server/session-table.js';
import {
  createStrictServer,
  read,
  refreshRequest,
  tokenRequest,
  type StrictServer,
} from './token-requests.js';

let folder: string;
let file: string;
let store: SessionStore;
let server: StrictServer;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'session-table-'));
  file = path.join(folder, 'sessions.db');
  store = openSessionStore(file);
  server = createStrictServer();
});

afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const table = (options: Partial<SessionTableOptions> = {}) =>
  sessionTable({ store: () => store, windowMs: () => 10_000, ...options })(server.endpoint);
const key = (value: string) => ({ headers: { 'idempotency-key': value } });
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
const statuses = (answers: TokenAnswer[]) =>
  answers.map((answer) => read(answer).status).sort((a, b) => a - b);
const nextOf = (answer: { refresh_token?: unknown }) => String(answer.refresh_token);

// Every claim is a transaction on a disk: a hundred of them may take a busy machine longer than a test usually has.
describe('100 duplicates at once', { timeout: 60_000 }, () => {
  test.each([
    ['with one idempotency key', key('k')],
    ['without any key (the weaker mode)', {}],
  ])('%s: one spend, one answer for all', async (_, duplicate) => {
    const endpoint = table();
    const token = server.signIn();

    const answers = (await Promise.all(times(100, () => endpoint(refreshRequest(token, duplicate))))).map(
      read,
    );

    expect(server.spent).toEqual([token]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(nextOf)).size).toBe(1);
    expect(new Set(answers.map((answer) => answer['access_token'])).size).toBe(1);
    const after = read(await endpoint(refreshRequest(nextOf(answers[0]!), duplicate)));
    expect(after.status, 'the pair they all got is the one that lives').toBe(200);
  });

  test('with a key of their own each: one pair, 99 clean conflicts', async () => {
    const endpoint = table();
    const token = server.signIn();
    let n = 0;

    const answers = await Promise.all(times(100, () => endpoint(refreshRequest(token, key(`k${++n}`)))));

    expect(server.spent).toEqual([token]);
    const refused = answers.map(read).filter(({ status }) => status !== 200);
    expect(refused).toEqual(
      times(99, () => ({ status: 409, error: 'version_conflict', current_version: 2 })),
    );
  });

  test('at two processes that share the file: one spend, one answer', async () => {
    const otherStore = openSessionStore(file);
    const here = table();
    const there = table({ store: () => otherStore });
    const token = server.signIn();

    const answers = await Promise.all(
      times(50, () => [here, there]).flatMap((both) =>
        both.map((endpoint) => endpoint(refreshRequest(token, key('k')))),
      ),
    );
    otherStore.close();

    expect(server.spent).toEqual([token]);
    expect(new Set(answers.map(read).map(nextOf)).size).toBe(1);
  });
});

test('a lost answer is had again by asking again, with the life that it has left', async () => {
  const endpoint = table();
  const token = server.signIn();
  const first = read(await endpoint(refreshRequest(token, key('k'))));
  await sleep(1_050);
  const again = read(await endpoint(refreshRequest(token, key('k'))));

  expect(again).toEqual({ ...first, expires_in: Number(first['expires_in']) - 2 });
  expect(server.spent).toHaveLength(1);
});

test('an answer is for whoever asked, and for what was asked', async () => {
  const endpoint = table();
  const token = server.signIn();
  await endpoint(refreshRequest(token, key('k')));

  for (const other of [
    key('x'),
    {},
    { ...key('k'), resource: 'https://other.example' },
    { ...key('k'), client_id: 'x' },
  ]) {
    expect(read(await endpoint(refreshRequest(token, other))).status).toBe(409);
  }
  expect(server.spent).toHaveLength(1);
});

test("without a key nothing is given again, under withoutKey: 'conflict'", async () => {
  const endpoint = table({ withoutKey: 'conflict' });
  const token = server.signIn();
  const answers = await Promise.all(times(3, () => endpoint(refreshRequest(token))));
  expect(statuses(answers)).toEqual([200, 409, 409]);
});

test('a DPoP key is known by its proof, and a copied public key proves nothing', async () => {
  const endpoint = table();
  const token = server.signIn();
  const mine = await generateKeyPair('ES256', { extractable: true });
  const thief = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(mine.publicKey);
  const prove = async (privateKey: CryptoKey) => ({
    headers: {
      dpop: await new SignJWT({ jti: crypto.randomUUID(), htm: 'POST', htu: 'https://issuer.example/token' })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey),
    },
  });

  const first = read(await endpoint(refreshRequest(token, await prove(mine.privateKey))));
  const again = read(await endpoint(refreshRequest(token, await prove(mine.privateKey))));
  expect(again['access_token']).toBe(first['access_token']);
  expect(read(await endpoint(refreshRequest(token, await prove(thief.privateKey)))).status).toBe(409);
});

test('after the window the pair is gone from the file, and a duplicate is the authorization server’s business', async () => {
  const endpoint = table({ windowMs: () => 50 });
  const token = server.signIn();
  const { access_token } = read(await endpoint(refreshRequest(token)));
  const sealed = Buffer.from(store.spent(hash(token))!.answer!);
  expect(readFileSync(file).includes(sealed)).toBe(true);
  expect(readFileSync(file).includes(String(access_token)), 'never in the clear').toBe(false);
  expect(readFileSync(file).includes(token), 'nor the refresh token').toBe(false);

  await sleep(120);
  expect(store.spent(hash(token))).toBeUndefined();
  expect(readFileSync(file).includes(sealed), 'overwritten').toBe(false);
  expect(read(await endpoint(refreshRequest(token)))).toMatchObject({ status: 400, error: 'invalid_grant' });
  expect(server.spent).toEqual([token, token]);
});

test('a refresh that brought nothing leaves nothing behind', async () => {
  const endpoint = table();
  const token = server.signIn();
  server.fail = { status: 503, headers: {}, body: '' };
  expect(await endpoint(refreshRequest(token))).toMatchObject({ status: 503 });
  expect(read(await endpoint(refreshRequest(token))).status).toBe(200);
});

test('a server that does not rotate is asked every time: then another access token is wanted', async () => {
  server.rotates = false;
  const endpoint = table();
  const token = server.signIn();
  const first = read(await endpoint(refreshRequest(token)));
  const second = read(await endpoint(refreshRequest(token)));
  expect(second['access_token']).not.toBe(first['access_token']);
});

test('sessions are followed from sign-in to sign-out, and one that was locked out is refused unasked', async () => {
  const endpoint = table();
  const first = nextOf(read(await endpoint(tokenRequest({ grant_type: 'authorization_code' }))));
  expect(store.sessionOf(hash(first))).toMatchObject({ version: 1, active: 1 });

  const second = nextOf(read(await endpoint(refreshRequest(first))));
  const session = store.sessionOf(hash(second))!;
  expect(session).toMatchObject({ version: 2, active: 1 });
  expect(store.sessionOf(hash(first))).toBeUndefined();

  store.deactivate(session.session_id);
  expect(read(await endpoint(refreshRequest(second)))).toMatchObject({ status: 400, error: 'invalid_grant' });
  expect(server.spent).toEqual([first]);

  await endpoint(tokenRequest({ token: second }, {}, 'revocation'));
  expect(store.sessionOf(hash(second))).toBeUndefined();
  expect(store.spent(hash(first)), 'nor a pair of it').toBeUndefined();
});
