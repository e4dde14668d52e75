// Over the wire: a real server, a real `fetch`, real time. Three refusals without a word take 20 seconds, so all rows run at once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import { Origin } from '../../test/support/tabs.js';
import {
  answerByRow,
  answerRows,
  driveRow,
  expectedOf,
  inDoubt,
  type AnswerRow,
  type OpenCoordinator,
} from '../../test/support/token-answers.js';
import { refreshTokenGrant } from './index.js';

const rows: readonly AnswerRow[] = [
  ...answerRows,
  // (A page is not told its status.)
  { name: '302 to a login page', status: 302, headers: { location: '/login' }, expected: inDoubt(302) },
];

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
  server.answer(answerByRow(rows));
  const openAnother: OpenCoordinator = (_name, grant, options) =>
    new Origin().open({ proactive: 'never', refresh: refreshTokenGrant(grant), ...options });
  Object.assign(globalThis, { lab: { openAnother } });
});
afterAll(async () => {
  Reflect.deleteProperty(globalThis, 'lab');
  await server.close();
});

test.concurrent.each(rows.map((row, index) => [row.name, row, index] as const))(
  '%s',
  { timeout: 150_000 },
  async (_name, row, index) => {
    const { events, ...told } = (await driveRow({ index, row, origin: server.origin })) as {
      events: object[];
    };
    const { last, ...expected } = expectedOf(row) as { last?: object };
    expect(told).toEqual(expected);
    const wanted = last ? [last] : [];
    expect(events).toEqual(expect.arrayContaining(wanted));
    expect(
      events.filter((event) => (event as { type: string }).type === 'reauth-required').length,
    ).toBeLessThan(2);
    const asked = server.received.filter(({ url }) => url === `/${index}/token`);
    expect(asked).toHaveLength(row.expected.asked ?? (row.expected.healed ? 4 : row.expected.second ? 3 : 1));
    expect(new Set(asked.map(({ form }) => form.get('refresh_token')))).toEqual(new Set(['refresh-1']));
  },
);
