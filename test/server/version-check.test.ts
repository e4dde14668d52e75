import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TokenAnswer } from '../../demo/server/token-endpoint.js';
import { versionCheck, type VersionCheckOptions } from '../../demo/server/version-check.js';
import { openVersionStore, type VersionStore } from '../../demo/server/version-store.js';
import {
  createStrictServer,
  read,
  refreshRequest,
  tokenRequest,
  type StrictServer,
} from './token-requests.js';

let folder: string;
let file: string;
let store: VersionStore;
let server: StrictServer;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'version-check-'));
  file = path.join(folder, 'versions.db');
  store = openVersionStore(file);
  server = createStrictServer();
});

afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const check = (options: Partial<VersionCheckOptions> = {}) =>
  versionCheck({ store: () => store, enabled: () => true, ...options })(server.endpoint);
const at = (version: number) => ({ token_version: String(version) });
const statuses = (answers: TokenAnswer[]) =>
  answers.map((answer) => read(answer).status).sort((a, b) => a - b);
const nextOf = (answer: { refresh_token?: unknown }) => String(answer.refresh_token);

// Every claim is a transaction on a disk: a hundred of them may take a busy machine longer than a test usually has.
test(
  '100 duplicates at once: one spend, 99 clean conflicts that name the newest version',
  { timeout: 60_000 },
  async () => {
    const endpoint = check();
    const { refresh_token } = read(await endpoint(tokenRequest({ grant_type: 'authorization_code' })));
    const token = String(refresh_token);

    const answers = await Promise.all(
      Array.from({ length: 100 }, () => endpoint(refreshRequest(token, at(1)))),
    );

    expect(server.spent).toEqual([token]);
    const refused = answers.map(read).filter(({ status }) => status !== 200);
    expect(refused).toEqual(
      Array.from({ length: 99 }, () => ({ status: 409, error: 'version_conflict', current_version: 2 })),
    );
    const winner = answers.map(read).find(({ status }) => status === 200)!;
    expect(winner['token_version']).toBe(2);
    expect(read(await endpoint(refreshRequest(nextOf(winner), at(2))))['token_version']).toBe(3);
  },
);

test('two processes that share the file: one spend', async () => {
  const otherStore = openVersionStore(file);
  const here = check();
  const there = check({ store: () => otherStore });
  const token = nextOf(read(await here(tokenRequest({ grant_type: 'authorization_code' }))));
  const answers = await Promise.all([here, there].map((endpoint) => endpoint(refreshRequest(token, at(1)))));
  otherStore.close();
  expect(statuses(answers)).toEqual([200, 409]);
  expect(server.spent).toEqual([token]);
});

test('an outdated version is refused whatever the token, an outdated token whatever the version', async () => {
  const endpoint = check();
  const first = server.signIn();
  const second = nextOf(read(await endpoint(refreshRequest(first, at(1)))));
  for (const request of [
    refreshRequest(second, at(1)),
    refreshRequest(first, at(2)),
    refreshRequest(first, at(1)),
  ]) {
    expect(read(await endpoint(request))).toEqual({
      status: 409,
      error: 'version_conflict',
      current_version: 2,
    });
  }
  expect(server.spent).toEqual([first]);
});

test('a refresh that brought nothing gives its version back', async () => {
  const endpoint = check();
  const token = server.signIn();
  server.fail = { status: 503, headers: {}, body: '' };
  expect(await endpoint(refreshRequest(token, at(1)))).toMatchObject({ status: 503 });
  expect(read(await endpoint(refreshRequest(token, at(1)))).status).toBe(200);
});

test('a client that counts further than the server takes the server along', async () => {
  const endpoint = check();
  const first = server.signIn();
  const second = read(await endpoint(refreshRequest(first, at(1))));
  const third = read(await endpoint(refreshRequest(nextOf(second), at(7))));
  expect(third['token_version']).toBe(8);
  expect(read(await endpoint(refreshRequest(nextOf(third), at(8)))).status).toBe(200);
});

test('a server that does not rotate keeps its token through all versions', async () => {
  server.rotates = false;
  const endpoint = check();
  const token = server.signIn();
  for (const version of [1, 2, 3]) {
    expect(read(await endpoint(refreshRequest(token, at(version))))['token_version']).toBe(version + 1);
  }
});

test('clients that send no version yet pass', async () => {
  const endpoint = check();
  const first = server.signIn();
  const second = nextOf(read(await endpoint(refreshRequest(first))));
  expect(read(await endpoint(refreshRequest(second, { token_version: 'one' }))).status).toBe(200);
});

test('what was outdated long ago looks like a theft, and is shown to the authorization server if so wished', async () => {
  const endpoint = check({ detectTheftAfterMs: -1 });
  const first = server.signIn();
  await endpoint(refreshRequest(first, at(1)));
  expect(read(await endpoint(refreshRequest(first, at(1))))).toMatchObject({
    status: 400,
    error: 'invalid_grant',
  });
  expect(server.spent).toEqual([first, first]);
});
