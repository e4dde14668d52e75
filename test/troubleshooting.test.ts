// Produces the symptoms of docs/troubleshooting.md. The page quotes the very lines that are seen here.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CoordinatorEvent, RefreshRejectedError, TokenCoordinatorOptions } from 'one-refresh';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from 'one-refresh/oauth';
import { Origin, pass, type Tab } from './support/tabs.js';
import { missing } from './support/troubleshooting-page.js';

const ISSUER = 'https://id.example.com';
const TOKENS = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 };
const json = (status: number, body: object): Response => Response.json(body, { status });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Given {
  grant?: Partial<RefreshTokenGrantOptions>;
  tab?: Partial<TokenCoordinatorOptions>;
  origin?: Origin;
}

/** One tab with a session, at a server that answers like this. */
async function signedIn(fetch: typeof globalThis.fetch, given: Given = {}): Promise<Tab> {
  const { grant = { tokenEndpoint: `${ISSUER}/token` }, origin = new Origin() } = given;
  const refresh = refreshTokenGrant({ clientId: 'my-app', fetch, ...grant });
  const tab = origin.open({ refresh, proactive: 'never', ...given.tab });
  await pass(10);
  void tab.setSession(TOKENS);
  await pass(10);
  tab.events.length = 0;
  return tab;
}

/** A call after the token has expired: its error, or `token`; and the events that tell why. */
async function needToken(tab: Tab): Promise<{ error: string; events: string[] }> {
  await pass(11_000);
  const call = tab.getAccessToken({ failFast: true }).then(() => 'token', said);
  await pass(3_000);
  return { error: await call, events: told(tab) };
}

function told(tab: Tab): string[] {
  const types = ['refresh-failed', 'conflict', 'in-doubt', 'reauth-required', 'signed-out'];
  return tab.events
    .filter(({ type }) => types.includes(type))
    .map(({ type, reason }) => JSON.stringify(reason === undefined ? { type } : { type, reason }));
}

function said(error: unknown): string {
  const { code, message } = error as { code: string; message: string };
  return `${code}: ${message}`;
}

describe('docs/troubleshooting.md quotes what is seen when', () => {
  test('a login gave no refresh token', async () => {
    const refresh = refreshTokenGrant({ tokenEndpoint: `${ISSUER}/token`, clientId: 'my-app' });
    const tab = new Origin().open({ refresh, proactive: 'never' });
    const without = { ...TOKENS, refresh_token: undefined };
    const refused = await tab.setSession(without).then(() => 'accepted', said);
    void tab.setSession(without, { refreshable: false });
    await pass(10);
    tab.events.length = 0;
    const { error, events } = await needToken(tab);
    expect(missing('Signed out after one token life', refused, error, ...events)).toEqual([]);
  });

  test('the server ended the session', async () => {
    const tab = await signedIn(async () => json(400, { error: 'invalid_grant' }));
    const { error, events } = await needToken(tab);
    expect(events).toHaveLength(2);
    expect(missing('Signed out daily', error, ...events)).toEqual([]);
  });

  test('an answer was lost', async () => {
    let answers = 0;
    const tab = await signedIn(async () => {
      if (answers++ === 0) throw new TypeError('Failed to fetch');
      return json(400, { error: 'invalid_grant' });
    });
    const { error, events } = await needToken(tab);
    expect(missing('Signed out after a lost connection', error, ...events)).toEqual([]);
  });

  test('a deploy changed the client id', async () => {
    const origin = new Origin();
    await signedIn(async () => json(200, TOKENS), { origin });
    const refresh = refreshTokenGrant({ tokenEndpoint: `${ISSUER}/token`, clientId: 'my-new-app' });
    const tab = origin.open({ refresh });
    await pass(10);
    const { status, error } = tab.getSnapshot();
    expect(status).toBe('signed-out');
    expect(missing('Signed out after a deploy', said(error))).toEqual([]);
  });

  test('a user signs in again after signing out', async () => {
    const tab = await signedIn(async () => json(200, TOKENS));
    const { sessionId } = tab.getSnapshot();
    void tab.signOut();
    await pass(10);
    void tab.setSession(TOKENS);
    await pass(10);
    expect(tab.getSnapshot().sessionId).not.toBe(sessionId);
    const events = tab.events.filter(({ type }) => ['signed-out', 'session-started'].includes(type));
    expect(events).toHaveLength(2);
    const lines = events.map(({ type }) => JSON.stringify({ type }));
    expect(missing('Signed in again after signing out', lines.join('\n'))).toEqual([]);
  });

  test('refreshing is paused for a fault of configuration', async () => {
    const tab = await signedIn(async () => json(401, { error: 'invalid_client' }));
    const { error, events } = await needToken(tab);
    expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', refreshStatus: 'paused' });
    expect(missing('`paused` for ever', error, ...events)).toEqual([]);
  });

  test('an answer that the page may not read', async () => {
    const tab = await signedIn(async () => {
      throw new TypeError('Failed to fetch');
    });
    const { error, events } = await needToken(tab);
    expect(tab.getSnapshot().status).toBe('signed-in');
    expect(missing('No answer, but the server has one', error, events[0]!)).toEqual([]);
  });

  test('the metadata is a redirect', async () => {
    const moved = async () => new Response(null, { status: 302, headers: { location: '/' } });
    const tab = await signedIn(moved, { grant: { issuer: ISSUER } });
    expect(missing('The metadata is a redirect', (await needToken(tab)).error)).toEqual([]);
  });

  test('the metadata names another issuer', async () => {
    const other = async () => json(200, { issuer: 'https://login.example.com/{tenantid}/v2.0' });
    const tab = await signedIn(other, { grant: { issuer: ISSUER } });
    expect(missing('Issuer mismatch', (await needToken(tab)).error)).toEqual([]);
  });

  test('a server refuses without an OAuth error', async () => {
    const tab = await signedIn(async () => new Response(null, { status: 400 }));
    await pass(11_000);
    const call = tab.getAccessToken({ timeoutMs: 60_000 }).then(() => 'token', said);
    await pass(30_000);
    expect(missing('A dead token is answered without a word', await call, ...told(tab))).toEqual([]);
    expect(tab.events.find(({ type }) => type === 'reauth-required')).toMatchObject({ status: 400 });
    expect(tab.events.filter(({ type }) => type === 'refresh-started')).toHaveLength(3);
  });

  test('a dead token is answered invalid_request, until isSessionLost knows', async () => {
    const answer = async () => json(400, { error: 'invalid_request' });
    const tab = await signedIn(answer);
    const { error, events } = await needToken(tab);
    expect(missing('A dead token is answered `invalid_request`', error, ...events)).toEqual([]);

    const isSessionLost = (error: unknown) => (error as RefreshRejectedError).error === 'invalid_request';
    const taught = await signedIn(answer, { tab: { isSessionLost } });
    expect((await needToken(taught)).error).toMatch(/^ERR_REAUTH_REQUIRED/);
  });

  test('two browsers start from the same stored state', async () => {
    const used = new Set<string | null>();
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const spent = new URLSearchParams(await new Request(input, init).text()).get('refresh_token');
      if (used.has(spent)) return json(400, { error: 'invalid_grant' });
      used.add(spent);
      return json(200, { ...TOKENS, refresh_token: `refresh-${used.size + 1}` });
    };
    const first = new Origin();
    const tab = await signedIn(fetch, { origin: first });
    const copy = new Origin();
    copy.record = structuredClone(first.record);
    const refresh = refreshTokenGrant({ tokenEndpoint: `${ISSUER}/token`, clientId: 'my-app', fetch });
    const other = copy.open({ refresh, proactive: 'never' });
    await pass(10);
    expect((await needToken(tab)).error).toBe('token');
    const { error } = await needToken(other);
    expect(missing("Tests with Playwright's `storageState` fail", error)).toEqual([]);
  });

  test('a deleted session is written back by a tab', async () => {
    const origin = new Origin();
    const tab = await signedIn(async () => json(200, { ...TOKENS, refresh_token: 'refresh-2' }), { origin });
    origin.record = undefined;
    expect((await needToken(tab)).error).toBe('token');
    expect(origin.record).toMatchObject({ version: 2 });
    const [{ type, version }] = tab.events.filter((event) => event.type === 'refresh-succeeded') as [
      CoordinatorEvent,
    ];
    expect(missing('`Clear-Site-Data` does not sign out', JSON.stringify({ type, version }))).toEqual([]);
    origin.record = undefined;
    void tab.signOut();
    await pass(10);
    const next = origin.open({ refresh: async () => TOKENS });
    await pass(10);
    expect(next.getSnapshot().status).toBe('signed-out');
  });
});
