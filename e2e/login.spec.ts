// `one-refresh/login` through the real redirects: an OpenID provider, its pages, and tabs of one browser.
import type { EngineTab } from './engines/engine.js';
import { expect, test as base, type LabServer } from './fixtures.js';
import type { LoginPageOptions } from './app/login/main.js';
import { startAskingServer, startOtherServer, type OtherServer } from './harness/other-server.js';
import { PASSWORD, startPasswordServer, type PasswordServer } from './harness/password-server.js';

/** The authorization server of a test. */
interface Authority {
  /** Those that the app needs for it. */
  readonly options: LoginPageOptions;
  /** Alice's session; without an ID token nobody knows that it is hers. */
  readonly signedIn: Record<string, unknown>;
  /** The answers to code exchanges, as far as they were sent. */
  readonly exchanges: () => unknown[];
  /** Answers to so many exchanges wait. */
  readonly delay: (ms: number, times: number) => void;
}

interface LoginFixtures {
  make: 'oidc-provider' | 'node-oauth2-server';
  authority: Authority;
  /** A tab on the login page. */
  open: (options?: LoginPageOptions) => Promise<EngineTab>;
  /** A further authorization server, of other make. */
  other: OtherServer;
  /** One that asks for passwords. */
  passwords: PasswordServer;
}

const test = base.extend<LoginFixtures>({
  make: ['oidc-provider', { option: true }],
  authority: async ({ make, server }, use) => {
    if (make === 'oidc-provider') {
      await use({
        options: {},
        signedIn: { status: 'signed-in', subject: 'alice' },
        exchanges: () => exchanges(server).map(({ sent }) => sent),
        delay: (answerDelayMs, times) =>
          server.faults.add({ grantType: 'authorization_code', answerDelayMs, times }),
      });
      return;
    }
    const other = await startAskingServer(server.url);
    await use({
      options: { issuer: other.issuer, clientId: other.clientId, scope: 'read', parameters: {} },
      signedIn: { status: 'signed-in' },
      exchanges: () => other.exchanges,
      delay: (ms, times) => void other.delays.push(...Array<number>(times).fill(ms)),
    });
    await other.close();
  },
  open: async ({ partition, server, authority }, use) => {
    await use(async (options) => {
      const tab = await partition.newTab();
      const given = JSON.stringify({ ...authority.options, ...options });
      await tab.goto(`${server.url}/login/${given === '{}' ? '' : `?options=${encodeURIComponent(given)}`}`);
      await ready(tab);
      return tab;
    });
  },
  other: async ({ server }, use) => {
    const other = await startOtherServer(server.url);
    await use(other);
    await other.close();
  },
  passwords: async ({ server }, use) => {
    const passwords = await startPasswordServer(server.url);
    await use(passwords);
    await passwords.close();
  },
});

/** The page's text; a page on its way elsewhere says nothing. */
const ask = async <T>(tab: EngineTab, question: () => T | Promise<T>): Promise<T | undefined> =>
  tab.evaluate(question).catch(() => undefined);

async function ready(tab: EngineTab): Promise<void> {
  await expect.poll(() => ask(tab, () => document.readyState === 'complete' && 'page' in window)).toBe(true);
}

/** Leaves the page for the server. */
async function start(tab: EngineTab, request: object = {}): Promise<void> {
  await tab.evaluate((options) => {
    window.page.left = true;
    // A page that is asked to leave while it is being asked would not answer.
    setTimeout(() => void window.page.login.start(options), 0);
  }, request);
}

/** Back on the redirect page: its result. */
async function finished(tab: EngineTab): Promise<unknown> {
  const isBack = () => location.pathname === '/callback' && 'page' in window && !window.page.left;
  await expect.poll(() => ask(tab, isBack)).toBe(true);
  return tab.evaluate(() => window.page.finished);
}

/** The provider's own page is there. */
const signInPage = (tab: EngineTab): Promise<void> =>
  expect.poll(() => ask(tab, () => document.querySelector('button.alice') !== null)).toBe(true);

/** Chooses a user there, or nobody. */
async function choose(tab: EngineTab, user: string): Promise<void> {
  await signInPage(tab);
  await tab.evaluate(
    (name) => void setTimeout(() => document.querySelector<HTMLButtonElement>(`button.${name}`)?.click(), 0),
    user,
  );
}

const session = (tab: EngineTab) =>
  ask(tab, () => {
    const { status, subject, sessionId } = window.page.coordinator.getSnapshot();
    return { status, subject, sessionId };
  });

const exchanges = (server: LabServer) =>
  server.log.entries.filter(({ grantType }) => grantType === 'authorization_code');

const address = (tab: EngineTab) => tab.evaluate(() => location.pathname + location.search + location.hash);

for (const make of ['oidc-provider', 'node-oauth2-server'] as const) {
  // In the core set one server is enough.
  const core = make === 'oidc-provider' ? ['@core'] : [];
  const smoke = make === 'oidc-provider' ? ['@smoke'] : [];
  const engines = make === 'oidc-provider' ? ['@engines'] : [];

  test.describe(make, () => {
    test.use({ make });

    test(
      'signs in by redirect, in two tabs at once',
      { tag: [...core, ...smoke] },
      async ({ open, authority }) => {
        const [first, second] = [await open(), await open()];
        await start(first, { returnTo: '/login/?first#here' });
        await start(second, { returnTo: '/login/?second' });
        for (const tab of [first, second]) await signInPage(tab);
        // Both are under way. oidc-provider wants one user after the other, since all tabs share its cookie.
        await choose(second, 'alice');
        expect(await finished(second)).toEqual({ done: { returnTo: '/login/?second' } });
        await choose(first, 'alice');
        expect(await finished(first)).toEqual({ done: { returnTo: '/login/?first#here' } });
        for (const tab of [first, second]) {
          await expect.poll(() => session(tab)).toMatchObject(authority.signedIn);
          expect(await address(tab)).toBe('/callback');
          expect(
            await ask(tab, () => Object.keys(localStorage).filter((key) => key.includes('login:'))),
          ).toEqual([]);
        }
        await expect
          .poll(async () => (await session(first))?.sessionId)
          .toBe((await session(second))?.sessionId);
        expect(authority.exchanges()).toEqual([{ status: 200 }, { status: 200 }]);
        if (make === 'oidc-provider') expect(await first.evaluate(() => window.page.callApi())).toBe(200);
      },
    );

    // WebKitGTK's driver opens no window for a script, and answers nothing more once a click has opened one.
    test(
      'signs in by popup, in two tabs at once',
      { tag: [...engines, '@page'] },
      async ({ open, authority }) => {
        const [first, second] = [await open(), await open()];
        const page = (tab: EngineTab) => tab.page!;
        // The first is in the middle of its exchange when the second begins.
        authority.delay(2_000, 2);
        for (const [n, tab] of [first, second].entries()) {
          const [popup] = await Promise.all([page(tab).waitForEvent('popup'), page(tab).click('button')]);
          if (make === 'node-oauth2-server') await popup.click('button.alice');
          await expect.poll(() => authority.exchanges().length).toBe(n + 1);
        }
        for (const tab of [first, second]) {
          await expect.poll(() => ask(tab, () => window.page.popup)).toEqual({});
          expect(await session(tab)).toMatchObject(authority.signedIn);
          expect(await address(tab)).toMatch('/login/');
        }
        expect(authority.exchanges()).toEqual([{ status: 200 }, { status: 200 }]);
      },
    );

    test('says that the user declined, then signs in', { tag: core }, async ({ open, authority }) => {
      const tab = await open();
      await start(tab);
      await choose(tab, 'nobody');
      expect(await finished(tab)).toMatchObject({ error: { name: 'LoginError', code: 'access_denied' } });
      expect(await address(tab)).toBe('/callback');
      expect(authority.exchanges()).toEqual([]);

      await start(tab, { loginHint: 'bob', returnTo: '/login/' });
      expect(await finished(tab)).toMatchObject({ done: { returnTo: '/login/' } });
    });

    test('refuses an answer that comes after an hour', async ({ open, authority }) => {
      const [tab, other] = [await open(), await open()];
      await start(tab);
      await signInPage(tab);
      await other.evaluate(() => {
        for (const key of Object.keys(localStorage).filter((name) => name.startsWith('one-refresh-login:'))) {
          const attempt = JSON.parse(localStorage.getItem(key) ?? '') as { at: number };
          localStorage.setItem(key, JSON.stringify({ ...attempt, at: attempt.at - 3_600_000 }));
        }
      });
      await choose(tab, 'alice');
      expect(await finished(tab)).toMatchObject({ error: { code: 'state_unknown' } });
      expect(await address(tab)).toBe('/callback');
      expect(authority.exchanges()).toEqual([]);
    });

    test('a reload of the redirect page exchanges nothing again', async ({ open, authority, server }) => {
      const tab = await open();
      await start(tab, { loginHint: 'alice' });
      await finished(tab);
      await tab.goto(`${server.url}/callback`);
      expect(await finished(tab)).toEqual({});
      await expect.poll(() => session(tab)).toMatchObject(authority.signedIn);
      expect(authority.exchanges()).toHaveLength(1);
    });

    test('a reload during the exchange loses this attempt only', async ({ open, authority, server }) => {
      const tab = await open();
      authority.delay(3_000, 1);
      await start(tab, { loginHint: 'alice' });
      await expect.poll(() => authority.exchanges().length).toBe(1);
      await tab.goto(`${server.url}/callback`);
      expect(await finished(tab)).toEqual({});
      expect(authority.exchanges()).toHaveLength(1);
      await start(tab, { loginHint: 'alice' });
      expect(await finished(tab)).toMatchObject({ done: {} });
      await expect.poll(() => session(tab)).toMatchObject({ status: 'signed-in' });
    });

    test('the back button leads to no second exchange', async ({ open, authority, server }) => {
      const tab = await open();
      await start(tab);
      await choose(tab, 'alice');
      await finished(tab);
      const { sessionId } = (await session(tab)) ?? {};
      if (tab.back) await tab.back();
      else await tab.evaluate(() => void setTimeout(() => history.back(), 0));
      // The server's page as it was, if it or the engine has kept it; else what it says now.
      const text = () => ask(tab, () => document.body.innerText);
      await expect.poll(text).toMatch(/Who is there|This sign-in has expired/);
      if ((await text())?.includes('Who is there')) await choose(tab, 'alice');
      if (make === 'oidc-provider') await expect.poll(text).toContain('This sign-in has expired');
      else expect(await finished(tab)).toMatchObject({ error: { code: 'state_unknown' } });
      await tab.goto(`${server.url}/login/`);
      await ready(tab);
      expect(await session(tab)).toMatchObject({ status: 'signed-in', sessionId });
      expect(authority.exchanges()).toHaveLength(1);
    });
  });
}

test(
  "after the provider's logout the next sign-in asks again",
  { tag: '@engines' },
  async ({ server, open }) => {
    const [tab, other] = [await open(), await open()];
    await start(tab);
    await choose(tab, 'alice');
    await finished(tab);
    // The provider knows this browser: nobody is asked.
    await start(tab);
    expect(await finished(tab)).toMatchObject({ done: {} });
    await expect.poll(() => session(other)).toMatchObject({ status: 'signed-in', subject: 'alice' });

    // A page that has refreshed nothing yet, and asked for no metadata.
    await tab.goto(`${server.url}/login/`);
    await ready(tab);
    await tab.evaluate(() => void setTimeout(() => void window.page.login.signOut(), 0));
    // Whole, before it is left again: a request of a page that leaves is an error that nobody catches.
    await expect.poll(() => ask(tab, () => location.pathname === '/' && 'lab' in window)).toBe(true);
    await expect.poll(() => session(other)).toMatchObject({ status: 'signed-out' });
    await expect
      .poll(
        () => server.log.revocations().some(({ sent }) => Object(sent).status === 200),
        'the session that was left',
      )
      .toBe(true);

    await tab.goto(`${server.url}/login/`);
    await ready(tab);
    await start(tab);
    await choose(tab, 'bob');
    expect(await finished(tab)).toMatchObject({ done: {} });
    expect(await session(tab)).toMatchObject({ subject: 'bob' });
  },
);

test('steps up for an API, for the same user', async ({ open }) => {
  const tab = await open();
  await start(tab);
  await choose(tab, 'alice');
  await finished(tab);
  const { sessionId } = (await session(tab)) ?? {};
  for (const user of ['bob', 'alice']) {
    await tab.evaluate(() => {
      const challenge = 'Bearer error="insufficient_user_authentication", max_age="0"';
      const answer = new Response(null, { status: 401, headers: { 'www-authenticate': challenge } });
      window.page.left = true;
      setTimeout(() => void window.page.login.stepUp(answer), 0);
    });
    await choose(tab, user);
    const outcome = await finished(tab);
    if (user === 'bob') {
      expect(outcome).toMatchObject({ error: { code: 'subject_changed' } });
      await expect.poll(() => session(tab)).toMatchObject({ subject: 'alice', sessionId });
    } else expect(outcome).toMatchObject({ done: {} });
  }
  await expect.poll(() => session(tab)).toMatchObject({ subject: 'alice' });
  expect((await session(tab))?.sessionId, 'a session of its own').not.toBe(sessionId);
});

test.describe('tokens bound to a key', () => {
  test.use({ serverOptions: { dpop: 'required-nonce' } });

  test('come from the exchange, and work', { tag: '@core' }, async ({ server, open }) => {
    const tab = await open({ dpop: true });
    await start(tab, { loginHint: 'alice' });
    expect(await finished(tab)).toMatchObject({ done: {} });
    expect(
      await tab.evaluate(() => window.page.coordinator.getAccessToken({ forceRefresh: true }).then(Boolean)),
    ).toBe(true);
    const second = await open();
    await expect.poll(() => session(second)).toMatchObject({ status: 'signed-in' });
    expect(exchanges(server).map(({ sent }) => sent)).toEqual([
      { status: 400, error: 'use_dpop_nonce' },
      { status: 200 },
    ]);
  });
});

test.describe('a server that takes pushed requests only', () => {
  test.use({ serverOptions: { par: 'required' } });

  test('signs in by a pushed request', async ({ open, server }) => {
    const tab = await open();
    await start(tab, { loginHint: 'alice' });
    expect(await finished(tab)).toMatchObject({ done: {} });
    // It refuses an open one, so that was not one.
    const other = await open({ par: false });
    await start(other, { loginHint: 'alice' });
    expect(await finished(other)).toMatchObject({ error: { code: 'invalid_request' } });
    expect(exchanges(server)).toHaveLength(1);
  });
});

test.describe('with OpenAuth', () => {
  const options = ({ issuer }: OtherServer): LoginPageOptions => ({ issuer, scope: 'api', parameters: {} });

  test('signs in by redirect, and refreshes', { tag: '@core' }, async ({ open, other }) => {
    const [first, second] = [await open(options(other)), await open()];
    await start(first, { returnTo: '/login/?other' });
    expect(await finished(first)).toEqual({ done: { returnTo: '/login/?other' } });
    await expect.poll(() => session(second)).toMatchObject({ status: 'signed-in' });
    const renewed = () => window.page.coordinator.getAccessToken({ forceRefresh: true }).then(Boolean);
    expect(await second.evaluate(renewed)).toBe(true);
  });

  test('signs in by popup', { tag: '@page' }, async ({ open, other }) => {
    const [first, second] = [await open(options(other)), await open()];
    await first.page?.click('button');
    await expect.poll(() => ask(first, () => window.page.popup)).toEqual({});
    await expect.poll(async () => (await session(second))?.sessionId).toBe((await session(first))?.sessionId);
  });

  test('tells that the user closed the popup', { tag: '@page' }, async ({ open }) => {
    const tab = await open({ parameters: { login_hint: 'unknown' } });
    const [opened] = await Promise.all([tab.page?.waitForEvent('popup'), tab.page?.click('button')]);
    await opened?.waitForURL(/interaction/);
    await opened?.close();
    await expect
      .poll(() => ask(tab, () => window.page.popup))
      .toMatchObject({ error: { code: 'popup_closed' } });
  });
});

// What needs OpenID Connect, once more at another maker's provider. It asks for passwords on a page of ours, as better-auth wants it.
test.describe('with better-auth', () => {
  const optionsOf = ({ issuer, clientId, scope }: PasswordServer): LoginPageOptions => ({
    issuer,
    clientId,
    scope,
    parameters: {},
  });

  async function signIn(tab: EngineTab, user: 'alice' | 'bob', password = PASSWORD): Promise<void> {
    await signInPage(tab);
    await tab.evaluate((text) => {
      document.querySelector('input')!.value = text;
    }, password);
    await choose(tab, user);
  }

  test("after the provider's logout the password is asked for", async ({ server, open, passwords }) => {
    const [tab, other] = [await open(optionsOf(passwords)), await open()];
    await start(tab);
    await signIn(tab, 'alice');
    expect(await finished(tab)).toMatchObject({ done: {} });
    const { subject } = (await session(tab)) ?? {};
    // The provider knows this browser: nobody is asked.
    await start(tab);
    expect(await finished(tab)).toMatchObject({ done: {} });
    await expect.poll(() => session(other)).toMatchObject({ status: 'signed-in', subject });

    await tab.evaluate(() => void setTimeout(() => void window.page.login.signOut(), 0));
    await expect.poll(() => ask(tab, () => location.pathname === '/' && 'lab' in window)).toBe(true);
    await expect.poll(() => session(other)).toMatchObject({ status: 'signed-out' });

    await tab.goto(`${server.url}/login/`);
    await ready(tab);
    await start(tab);
    await signIn(tab, 'bob', 'a guess');
    await expect.poll(() => ask(tab, () => document.body.innerText)).toContain('Wrong password');
    await signIn(tab, 'bob');
    expect(await finished(tab)).toMatchObject({ done: {} });
    expect(await session(tab)).toMatchObject({ status: 'signed-in' });
    expect((await session(tab))?.subject, 'another user').not.toBe(subject);
  });

  test('steps up with the password, for the same user', async ({ open, passwords }) => {
    const tab = await open(optionsOf(passwords));
    await start(tab);
    await signIn(tab, 'alice');
    await finished(tab);
    const before = await session(tab);
    for (const user of ['bob', 'alice'] as const) {
      await tab.evaluate(() => {
        window.page.left = true;
        setTimeout(() => void window.page.login.stepUp({ maxAge: 0 }), 0);
      });
      await signIn(tab, user);
      const outcome = await finished(tab);
      if (user === 'bob') expect(outcome).toMatchObject({ error: { code: 'subject_changed' } });
      else expect(outcome).toMatchObject({ done: {} });
      await expect.poll(() => session(tab)).toMatchObject({ status: 'signed-in', subject: before?.subject });
    }
    expect((await session(tab))?.sessionId, 'a session of its own').not.toBe(before?.sessionId);
  });

  test('binds the tokens to a key from the exchange', async ({ open, passwords }) => {
    const tab = await open({ ...optionsOf(passwords), dpop: true });
    await start(tab);
    await signIn(tab, 'alice');
    expect(await finished(tab)).toMatchObject({ done: {} });
    const second = await open();
    await expect.poll(() => session(second)).toMatchObject({ status: 'signed-in' });
    // Another tab refreshes, and what it gets works with a proof, and only so.
    const url = `${passwords.issuer}/oauth2/userinfo`;
    const headers = await second.evaluate(async (at) => {
      await window.page.coordinator.getAccessToken({ forceRefresh: true });
      return window.page.coordinator.getAuthorizationHeaders({ url: at });
    }, url);
    const [scheme, token] = headers['Authorization']!.split(' ');
    expect(scheme).toBe('DPoP');
    const { subject } = (await session(second)) ?? {};
    expect(await (await fetch(url, { headers })).json()).toMatchObject({ sub: subject });
    expect((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  });
});
