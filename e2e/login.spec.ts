// `one-refresh/login` through the real redirects: an OpenID provider, its pages, and tabs of one browser.
import type { EngineTab } from './engines/engine.js';
import { expect, test as base, type LabServer } from './fixtures.js';
import type { LoginPageOptions } from './app/login/main.js';
import { startOtherServer, type OtherServer } from './harness/other-server.js';

interface LoginFixtures {
  /** A tab on the login page. */
  open: (options?: LoginPageOptions) => Promise<EngineTab>;
  /** A further authorization server, of other make. */
  other: OtherServer;
}

const test = base.extend<LoginFixtures>({
  open: async ({ partition, server }, use) => {
    await use(async (options) => {
      const tab = await partition.newTab();
      await tab.goto(
        `${server.url}/login/${options ? `?options=${encodeURIComponent(JSON.stringify(options))}` : ''}`,
      );
      await ready(tab);
      return tab;
    });
  },
  other: async ({ server }, use) => {
    const other = await startOtherServer(server.url);
    await use(other);
    await other.close();
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

test('signs in by redirect, in two tabs at once', { tag: '@core' }, async ({ server, open }) => {
  const [first, second] = [await open(), await open()];
  await start(first, { returnTo: '/login/?first#here' });
  await start(second, { returnTo: '/login/?second' });
  for (const tab of [first, second]) await signInPage(tab);
  // Both are under way. The server wants one user after the other, since all tabs share its cookie.
  await choose(second, 'alice');
  expect(await finished(second)).toEqual({ done: { returnTo: '/login/?second' } });
  await choose(first, 'alice');
  expect(await finished(first)).toEqual({ done: { returnTo: '/login/?first#here' } });
  for (const tab of [first, second]) {
    await expect.poll(() => session(tab)).toMatchObject({ status: 'signed-in', subject: 'alice' });
    expect(await address(tab)).toBe('/callback');
    expect(await ask(tab, () => Object.keys(localStorage).filter((key) => key.includes('login:')))).toEqual(
      [],
    );
  }
  await expect.poll(async () => (await session(first))?.sessionId).toBe((await session(second))?.sessionId);
  expect(exchanges(server).map(({ sent }) => sent)).toEqual([{ status: 200 }, { status: 200 }]);
  expect(await first.evaluate(() => window.page.callApi())).toBe(200);
});

// WebKitGTK's driver opens no window for a script, and answers nothing more once a click has opened one.
test('signs in by popup, in two tabs at once', { tag: ['@core', '@page'] }, async ({ server, open }) => {
  const [first, second] = [await open(), await open()];
  // The first is in the middle of its exchange when the second begins.
  server.faults.add({ grantType: 'authorization_code', answerDelayMs: 2_000, times: 2 });
  await first.page?.click('button');
  await expect.poll(() => exchanges(server).length).toBe(1);
  await second.page?.click('button');
  for (const tab of [first, second]) {
    await expect.poll(() => ask(tab, () => window.page.popup)).toEqual({});
    expect(await session(tab)).toMatchObject({ status: 'signed-in', subject: 'alice' });
    expect(await address(tab)).toMatch('/login/');
  }
  expect(exchanges(server).map(({ sent }) => sent)).toEqual([{ status: 200 }, { status: 200 }]);
});

test(
  'says that the user declined, and signs in at the next attempt',
  { tag: '@core' },
  async ({ server, open }) => {
    const tab = await open();
    await start(tab);
    await choose(tab, 'nobody');
    expect(await finished(tab)).toMatchObject({ error: { name: 'LoginError', code: 'access_denied' } });
    expect(await address(tab)).toBe('/callback');
    expect(exchanges(server)).toEqual([]);

    await start(tab, { loginHint: 'bob', returnTo: '/login/' });
    expect(await finished(tab)).toMatchObject({ done: { returnTo: '/login/' } });
  },
);

test('refuses an answer that comes after an hour', async ({ server, open }) => {
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
  expect(exchanges(server)).toEqual([]);
});

test('a reload of the redirect page exchanges nothing again', async ({ server, open }) => {
  const tab = await open();
  await start(tab, { loginHint: 'alice' });
  await finished(tab);
  await tab.goto(`${server.url}/callback`);
  expect(await finished(tab)).toEqual({});
  await expect.poll(() => session(tab)).toMatchObject({ status: 'signed-in', subject: 'alice' });
  expect(exchanges(server)).toHaveLength(1);
});

test('a reload during the exchange loses this attempt only', async ({ server, open }) => {
  const tab = await open();
  server.faults.add({ grantType: 'authorization_code', answerDelayMs: 3_000 });
  await start(tab, { loginHint: 'alice' });
  await expect.poll(() => exchanges(server).length).toBe(1);
  await tab.goto(`${server.url}/callback`);
  expect(await finished(tab)).toEqual({});
  expect(exchanges(server)).toHaveLength(1);
  await start(tab, { loginHint: 'alice' });
  expect(await finished(tab)).toMatchObject({ done: {} });
  await expect.poll(() => session(tab)).toMatchObject({ status: 'signed-in' });
});

test('the back button leads to no second exchange', async ({ server, open }) => {
  const tab = await open();
  await start(tab);
  await choose(tab, 'alice');
  await finished(tab);
  const { sessionId } = (await session(tab)) ?? {};
  if (tab.back) await tab.back();
  else await tab.evaluate(() => void setTimeout(() => history.back(), 0));
  // The provider's page as it was, if the engine has kept it; else what it says now.
  const text = () => ask(tab, () => document.body.innerText);
  await expect.poll(text).toMatch(/Who is there|This sign-in has expired/);
  if ((await text())?.includes('Who is there')) await choose(tab, 'alice');
  await expect.poll(text).toContain('This sign-in has expired');
  await tab.goto(`${server.url}/login/`);
  await ready(tab);
  expect(await session(tab)).toMatchObject({ status: 'signed-in', sessionId });
  expect(exchanges(server)).toHaveLength(1);
});

test(
  'after the logout at the provider the next sign-in asks again',
  { tag: '@core' },
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

test('steps up as an API demands, and only for the same user', async ({ open }) => {
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

test.describe('with a server of other make', () => {
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
