// Every answer of a token endpoint, over the wire in a browser, in one page at once: three refusals without a word take 20 seconds. And the
// metadata that leads nowhere.
import { startLoopbackServer } from '../test/support/loopback-server.js';
import {
  answerByRow,
  answerRows,
  driveRow,
  expectedOf,
  inDoubt,
  type AnswerRow,
} from '../test/support/token-answers.js';
import { expect, test } from './fixtures.js';

// A page is told nothing of an answer without CORS headers, and no more of a redirect than that it is one.
const rows: readonly AnswerRow[] = [
  ...answerRows,
  {
    name: '302 to a login page',
    status: 302,
    headers: { location: '/login' },
    expected: inDoubt(undefined),
  },
  {
    name: '401 without CORS headers',
    status: 401,
    broken: 'no-cors',
    expected: {
      first: 'ERR_REFRESH_UNAVAILABLE',
      status: 'signed-in',
      refreshStatus: 'paused',
      error: { code: 'ERR_REFRESH_UNAVAILABLE' },
    },
  },
];

test('each answer of the token endpoint has its meaning @chromium', async ({ newTabs }) => {
  test.setTimeout(300_000);
  const server = await startLoopbackServer();
  try {
    server.answer(answerByRow(rows));
    const all = [...rows.keys()];
    const [tab, ...others] = await newTabs(1 + all.filter((index) => rows[index]!.expected.healed).length);
    const drive = async (index: number): Promise<void> => {
      const row = rows[index]!;
      // A wake-up wakes all that are in its tab.
      const place = row.expected.healed ? others.pop() : tab;
      const told = (await place!.evaluate(driveRow, { index, row, origin: server.origin })) as {
        events: object[];
      };
      const { events, ...result } = told;
      const { last, ...expected } = expectedOf(row) as { last?: object };
      expect(result).toEqual(expected);
      if (last) expect(events, row.name).toContainEqual(last);
    };
    await Promise.all(all.map(drive));
  } finally {
    await server.close();
  }
});

test('metadata of another issuer or behind redirects: refused @chromium', async ({ newTab }) => {
  const server = await startLoopbackServer();
  try {
    server.answer(({ url }, response) => {
      response.setHeader('access-control-allow-origin', '*');
      if (url.startsWith('/moved/')) response.writeHead(302, { location: '/login' }).end();
      else response.end(JSON.stringify({ issuer: 'https://login.example.com/{tenantid}/v2.0' }));
    });
    const tab = await newTab();
    const refusal = (issuer: string) =>
      tab.evaluate(async (issuer) => {
        const coordinator = window.lab.openAnother(issuer, { issuer, clientId: 'app' });
        await coordinator.setSession({ access_token: 'access-1', refresh_token: 'refresh-1' });
        const call = coordinator.getAccessToken({ forceRefresh: true, failFast: true });
        const { code, message } = await call.then(
          () => ({ code: 'a token', message: '' }),
          (error: unknown) => error as { code: string; message: string },
        );
        await coordinator.close();
        return `${code}: ${message}`;
      }, issuer);
    expect(await refusal(`${server.origin}/common/v2.0`)).toMatch(
      /^ERR_CONFIGURATION: .*names another issuer, https:\/\/login\.example\.com\/\{tenantid\}\/v2\.0\./,
    );
    expect(await refusal(`${server.origin}/moved`)).toMatch(
      /^ERR_CONFIGURATION: .*has moved: it is a redirect/,
    );
    expect(server.received.map(({ method }) => method)).not.toContain('POST');
  } finally {
    await server.close();
  }
});
