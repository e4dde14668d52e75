// Many tabs on authorization servers that people run, none of them changed for us; each rotates in its own way. Only the clock is moved by hand.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { refreshTokenGrant } from '../../src/oauth/index.js';
import { Origin, type Tab } from '../support/tabs.js';
import { signInByHand, withCookies, type Send } from './code-flow.js';
import { logInAtBetterAuth } from './servers/better-auth-user.js';
import { startBetterAuth } from './servers/better-auth.js';
import { startNodeOAuth2Server } from './servers/node-oauth2-server.js';
import { startOpenAuth } from './servers/openauth.js';
import type { Place, RealServer } from './servers/real-server.js';
import { startWorkersOAuthProvider } from './servers/workers-oauth-provider.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  // OpenAuth writes its requests to the console, Cloudflare's provider what else it could do.
  vi.spyOn(console, 'log').mockReturnValue();
  vi.spyOn(console, 'warn').mockReturnValue();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const TABS = 20;
const ACCESS_TOKEN_SECONDS = 120;
const place: Place = {
  origin: 'https://id.example',
  redirectUri: 'https://app.id.example/callback',
  accessTokenSeconds: ACCESS_TOKEN_SECONDS,
};
const tokenEndpointOf = ({ client }: RealServer): string => client.endpoints!.token_endpoint;
type Start = (place: Place) => RealServer | Promise<RealServer>;
/** Signs the user in at the server, where it lets nobody in unasked. */
type LogIn = (send: Send, place: Place) => Promise<void>;
const passSeconds = (seconds: number): void => void vi.setSystemTime(Date.now() + seconds * 1000);

interface Exchange {
  spent: string | null;
  status: number;
  /** The new refresh token. */
  issued?: string;
}

/** Tabs of one browser, signed in, and a log of what the server answered to them. */
async function openTabs(server: RealServer, logIn?: LogIn) {
  const log: Exchange[] = [];
  const world = { log, tabs: [] as Tab[], onAnswer: undefined as (() => void) | undefined };
  const refresh = refreshTokenGrant({
    tokenEndpoint: tokenEndpointOf(server),
    clientId: server.client.clientId,
    async fetch(input, init) {
      const request = new Request(input, init);
      const spent = new URLSearchParams(await request.clone().text()).get('refresh_token');
      const response = await server.handle(request);
      const { refresh_token: issued } = (await response.clone().json()) as { refresh_token?: string };
      log.push({ spent, status: response.status, ...(issued !== undefined && { issued }) });
      world.onAnswer?.();
      return response;
    },
  });
  const origin = new Origin();
  world.tabs = Array.from({ length: TABS }, () => origin.open({ refresh, proactive: 'never' }));
  await Promise.all(world.tabs.map((tab) => tab.ready));
  const send = withCookies(server.handle);
  await logIn?.(send, place);
  const tokens = await signInByHand(send, server.client, place.redirectUri);
  await first(world.tabs).setSession(tokens);
  await everywhere(world.tabs, 'signed-in', 1);
  return { ...world, world, firstToken: String(tokens.refresh_token) };
}

const first = (tabs: Tab[]): Tab => tabs[0]!;

async function everywhere(tabs: Tab[], status: string, version: number): Promise<void> {
  const seen = () => tabs.map((tab) => tab.getSnapshot()).map(({ status, version }) => ({ status, version }));
  await vi.waitFor(() => expect(seen()).toEqual(tabs.map(() => ({ status, version }))), { timeout: 10_000 });
}

/** Every tab asks, twice; all get the same answer: a token, or an error's code and reason. */
async function askEverywhere(tabs: Tab[]): Promise<unknown> {
  const calls = tabs.flatMap((tab) => [tab.getAccessToken(), tab.getAccessToken()]);
  const answers = await Promise.all(
    calls.map((call) =>
      call.catch(({ code, reason }: { code: string; reason?: string }) => ({ code, reason })),
    ),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  return answers[0];
}

/** The answer to somebody else with this refresh token. */
async function replay(server: RealServer, refreshToken: string) {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: server.client.clientId,
    refresh_token: refreshToken,
  });
  const response = await server.handle(new Request(tokenEndpointOf(server), { method: 'POST', body }));
  const { error, refresh_token: issued } = (await response.json()) as Record<string, string | undefined>;
  return { status: response.status, error, issued };
}

function loseNextAnswer(world: { onAnswer: (() => void) | undefined }, afterwards = (): void => {}): void {
  world.onAnswer = () => {
    world.onAnswer = undefined;
    afterwards();
    throw new TypeError('Failed to fetch');
  };
}

const refused = { status: 400, error: 'invalid_grant', issued: undefined };

describe.each<[string, Start, LogIn?]>([
  ['@openauthjs/openauth', startOpenAuth],
  ['@cloudflare/workers-oauth-provider', startWorkersOAuthProvider],
  ['@node-oauth/oauth2-server', startNodeOAuth2Server],
  ['better-auth', startBetterAuth, logInAtBetterAuth],
])('%s', (_name, start, logIn) => {
  test('20 tabs at 6 expiries: one request each, all answered', async () => {
    const { tabs, log, firstToken } = await openTabs(await start(place), logIn);
    const tokens = new Set<unknown>();
    for (let expiry = 1; expiry <= 6; expiry++) {
      passSeconds(ACCESS_TOKEN_SECONDS);
      tokens.add(await askEverywhere(tabs));
      await everywhere(tabs, 'signed-in', expiry + 1);
    }
    expect(log.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
    expect(log.map(({ spent }) => spent)).toEqual([
      firstToken,
      ...log.slice(0, -1).map(({ issued }) => issued),
    ]);
    expect(new Set(log.map(({ spent }) => spent)).size, 'each answer brought another one').toBe(6);
    expect([...tokens].every((token) => typeof token === 'string') && tokens.size).toBe(6);
  });
});

describe('an answer that is lost on its way', () => {
  test.each([
    ['@openauthjs/openauth', startOpenAuth],
    ['@cloudflare/workers-oauth-provider', startWorkersOAuthProvider],
  ])('%s forgives: a repetition brings a pair', async (_name, start) => {
    const { tabs, log, world } = await openTabs(await start(place));
    loseNextAnswer(world);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual(expect.any(String));
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual(expect.any(String));
    await everywhere(tabs, 'signed-in', 3);
    expect(log.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(log[1]?.spent, 'the same refresh token again').toBe(log[0]?.spent);
    expect(log[2]?.spent, 'that of the answer that came').toBe(log[1]?.issued);
  });

  test('@openauthjs/openauth, repeated after 60 s: the session is over', async () => {
    const { tabs, log, world } = await openTabs(startOpenAuth(place));
    loseNextAnswer(world, () => passSeconds(61));
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual({ code: 'ERR_REAUTH_REQUIRED', reason: 'response_lost' });
    await everywhere(tabs, 'reauth-required', 1);
    expect(log.map(({ status }) => status)).toEqual([200, 400]);
  });

  test.each<[string, Start, LogIn?]>([
    ['@node-oauth/oauth2-server', startNodeOAuth2Server],
    ['better-auth', startBetterAuth, logInAtBetterAuth],
  ])('%s never forgives: the same', async (_name, start, logIn) => {
    const { tabs, log, world } = await openTabs(await start(place), logIn);
    loseNextAnswer(world);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual({ code: 'ERR_REAUTH_REQUIRED', reason: 'response_lost' });
    await everywhere(tabs, 'reauth-required', 1);
    expect(log.map(({ status }) => status)).toEqual([200, 400]);
    expect(tabs.flatMap((tab) => tab.events.filter(({ type }) => type === 'reauth-required')).length).toBe(1);
  });
});

describe('somebody else replays a refresh token that was used', () => {
  test('@openauthjs/openauth: within 60 s gets the current one', async () => {
    const server = startOpenAuth(place);
    const { tabs, log, firstToken } = await openTabs(server);
    passSeconds(ACCESS_TOKEN_SECONDS);
    await askEverywhere(tabs);
    passSeconds(59);
    expect(await replay(server, firstToken)).toEqual({
      status: 200,
      error: undefined,
      issued: log[0]?.issued,
    });
    passSeconds(2);
    expect(await replay(server, firstToken)).toEqual(refused);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual(expect.any(String));
    await everywhere(tabs, 'signed-in', 3);
  });

  test('@cloudflare/workers-oauth-provider: after the successor was used, nothing', async () => {
    const server = await startWorkersOAuthProvider(place);
    const { tabs, firstToken } = await openTabs(server);
    for (let expiry = 1; expiry <= 2; expiry++) {
      passSeconds(ACCESS_TOKEN_SECONDS);
      await askEverywhere(tabs);
    }
    expect(await replay(server, firstToken)).toEqual(refused);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual(expect.any(String));
    await everywhere(tabs, 'signed-in', 4);
  });

  test('@cloudflare/workers-oauth-provider: before that, a new pair, known everywhere', async () => {
    const server = await startWorkersOAuthProvider(place);
    const { tabs, log, firstToken } = await openTabs(server);
    passSeconds(ACCESS_TOKEN_SECONDS);
    await askEverywhere(tabs);
    const { status, issued } = await replay(server, firstToken);
    expect([status, issued === log[0]?.issued]).toEqual([200, false]);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual({ code: 'ERR_REAUTH_REQUIRED', reason: 'refresh_rejected' });
    await everywhere(tabs, 'reauth-required', 2);
  });

  test('@node-oauth/oauth2-server: nothing, at once; the session goes on', async () => {
    const server = startNodeOAuth2Server(place);
    const { tabs, firstToken } = await openTabs(server);
    passSeconds(ACCESS_TOKEN_SECONDS);
    await askEverywhere(tabs);
    expect(await replay(server, firstToken)).toEqual(refused);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual(expect.any(String));
    await everywhere(tabs, 'signed-in', 3);
  });

  test('better-auth: nothing, and ours is dead, which every tab learns', async () => {
    const server = await startBetterAuth(place);
    const { tabs, firstToken } = await openTabs(server, logInAtBetterAuth);
    passSeconds(ACCESS_TOKEN_SECONDS);
    await askEverywhere(tabs);
    expect(await replay(server, firstToken)).toEqual(refused);
    passSeconds(ACCESS_TOKEN_SECONDS);
    expect(await askEverywhere(tabs)).toEqual({ code: 'ERR_REAUTH_REQUIRED', reason: 'refresh_rejected' });
    await everywhere(tabs, 'reauth-required', 2);
  });
});
