// The token goes to allowed origins and nowhere else: here a real browser resolves the URLs, follows the redirects and copies the requests.
import { signIn } from './harness/ask.js';
import { startStranger, type Stranger } from './harness/stranger.js';
import { expect, test as base, type Tab } from './fixtures.js';

interface Origins {
  /** Allowed, and not the page's own. */
  friend: Stranger;
  stranger: Stranger;
}

const test = base.extend<Origins>({
  friend: async ({}, use) => {
    const friend = await startStranger();
    await use(friend);
    await friend.close();
  },
  stranger: async ({}, use) => {
    const stranger = await startStranger();
    await use(stranger);
    await stranger.close();
  },
});

test.use({ tabOptions: { proactive: 'never' } });

/** Parts of a secret that reached an origin: requests with credentials, or with a token anywhere in them. */
function secretsAt({ received }: Stranger, token: string): unknown[] {
  return received.filter(
    ({ headers, path }) =>
      headers.authorization !== undefined ||
      headers['dpop'] !== undefined ||
      JSON.stringify([headers, path]).includes(token),
  );
}
const requestsAt = ({ received }: Stranger) => received.filter(({ method }) => method !== 'OPTIONS');
const tokenOf = async (tab: Tab) =>
  String(await tab.evaluate(() => window.lab.coordinator.peekAccessToken()));

for (const dpop of [false, true]) {
  const kind = dpop ? 'DPoP' : 'Bearer';

  test(`${kind}: redirects from an allowed or own origin elsewhere`, async ({
    newTab,
    friend,
    stranger,
    server,
  }) => {
    const tab = await newTab(dpop ? { dpop: '' } : {});
    await signIn([tab]);
    const token = await tokenOf(tab);
    const sent = await tab.evaluate(
      async ({ friend, stranger }) => {
        const { createFetch, coordinator } = window.lab;
        const authFetch = createFetch(coordinator, { allowedOrigins: [friend, location.origin] });
        const results: string[] = [];
        for (const status of [301, 302, 303, 307, 308]) {
          for (const from of [`${friend}/redirect`, '/__lab/redirect']) {
            for (const method of ['GET', 'POST']) {
              const url = `${from}?status=${status}&to=${encodeURIComponent(`${stranger}/there`)}`;
              const init = { method, ...(method === 'POST' && { body: 'x' }) };
              // A browser may refuse to follow; only an arriving request counts.
              results.push(
                await authFetch(url, init).then(
                  (response) => String(response.status),
                  () => 'refused',
                ),
              );
            }
          }
        }
        return results;
      },
      { friend: friend.origin, stranger: stranger.origin },
    );
    expect(sent.length).toBe(20);
    expect(requestsAt(friend).length, 'each was sent to the allowed origin').toBe(10);
    expect(requestsAt(friend).map(({ headers }) => headers.authorization)).toEqual(
      Array.from({ length: 10 }, () => `${kind} ${token}`),
    );
    // A proof is for one URL, so its request follows no redirect.
    if (dpop) expect(stranger.received).toEqual([]);
    else expect(requestsAt(stranger).length, 'redirects were followed').toBeGreaterThanOrEqual(10);
    expect(stranger.received.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    expect(JSON.stringify(stranger.received)).not.toContain(token);
    expect(server.log.refreshes()).toEqual([]);
  });
}

test('relative URLs and other tricks of spelling', async ({ newTab, friend, stranger }) => {
  const tab = await newTab();
  await signIn([tab]);
  const token = await tokenOf(tab);
  await tab.evaluate(
    async ({ friend, stranger }) => {
      const { createFetch, coordinator } = window.lab;
      const authFetch = createFetch(coordinator, { allowedOrigins: [friend, location.origin] });
      const { host } = new URL(stranger);
      const tricks = [
        `//${host}/`,
        `\\\\${host}/`,
        `/\\${host}/`,
        `\t//${host}/`,
        `/\n/${host}/`,
        `http:\\\\${host}/`,
        `http:${'/'.repeat(4)}${host}/`,
        `${friend.replace('http://', 'http://user@')}@${host}/`,
        `http://${new URL(friend).host}@${host}/`,
        `${stranger}/?${friend}#${friend}`,
        new URL(`//${host}/`, friend),
        Object.assign(new String(`${stranger}/`), { href: friend, origin: friend }),
      ];
      const send = async (input: unknown) => authFetch(input as string).catch(() => undefined);
      for (const trick of tricks) await send(trick);
      // With another base, "relative" means elsewhere.
      const base = document.createElement('base');
      base.href = `${stranger}/deep/`;
      document.head.append(base);
      for (const path of ['api/me', '/api/me', '?x', '']) await send(path);
      await send(new Request('api/me'));
    },
    { friend: friend.origin, stranger: stranger.origin },
  );
  expect(requestsAt(stranger).length).toBeGreaterThanOrEqual(12);
  expect(secretsAt(stranger, token)).toEqual([]);
});

test('copies of a Request, and objects that lie', async ({ newTab, friend, stranger }) => {
  const tab = await newTab();
  await signIn([tab]);
  const token = await tokenOf(tab);
  await tab.evaluate(
    async ({ friend, stranger }) => {
      const { createFetch, coordinator } = window.lab;
      const authFetch = createFetch(coordinator, { allowedOrigins: [friend] });
      const request = new Request(`${friend}/original`, { headers: { 'x-test': '1' } });
      const copy = request.clone();
      await authFetch(request);
      await authFetch(new Request(`${stranger}/1`, request));
      await authFetch(new Request(`${stranger}/2`, copy));
      await authFetch(`${stranger}/3`, { headers: request.headers });
      await fetch(new Request(`${stranger}/4`, request));
      await authFetch(copy);

      class Lie extends Request {
        override get url(): string {
          return friend;
        }
      }
      await authFetch(new Lie(`${stranger}/5`));
      const shadowed = new Request(`${stranger}/6`);
      Object.defineProperty(shadowed, 'url', { value: friend });
      await authFetch(shadowed);
      // Each says something else the second time it is asked; the URL that was judged is the one that gets the token.
      const turncoat = (...urls: string[]) => ({ toString: () => urls.shift() }) as unknown as string;
      await authFetch(turncoat(`${friend}/judged`, `${stranger}/never`));
      await authFetch(turncoat(`${stranger}/judged`, `${friend}/without`));
    },
    { friend: friend.origin, stranger: stranger.origin },
  );
  const bearer = `Bearer ${token}`;
  expect(requestsAt(friend).map(({ path, headers }) => [path, headers.authorization])).toEqual([
    ['/original', bearer],
    ['/original', bearer],
    ['/judged', bearer],
    ['/without', undefined],
  ]);
  expect(requestsAt(stranger).map(({ path }) => path)).toEqual(['/1', '/2', '/3', '/4', '/5', '/6']);
  expect(secretsAt(stranger, token)).toEqual([]);
});
