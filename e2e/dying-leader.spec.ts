// The failure matrix: how the leader goes × where its request was × what the server does with a replay. Where the server's answer allows
// it the others get a token; where it does not, they say so once, with the true reason.
import { everyTab, expectInEveryTab, expectOneLeader, get, getTogether, signIn } from './harness/ask.js';
import { expect, PATIENT_MS, test, type LabServer, type Tab } from './fixtures.js';

type Death = 'closed' | 'killed with SIGKILL';
interface World {
  server: LabServer;
  tabs: Tab[];
  die: (tab: Tab, death: Death) => Promise<void>;
}

const matrix = test.extend<{ world: World }>({
  world: async ({ server, newTabs, kill }, use) => {
    const tabs = await newTabs(3, { proactive: 'never' });
    await signIn(tabs);
    await use({ server, tabs, die: (tab, death) => (death === 'closed' ? tab.close() : kill(tab)) });
  },
});

/** The leader dies while its request stands at `where`; the answer, if there is one, reaches nobody. */
async function dieOnTheWire(
  { server, tabs, die }: World,
  where: 'before' | 'after',
  death: Death,
): Promise<Tab[]> {
  const leader = await expectOneLeader(tabs);
  const request = server.faults.hold(where);
  await leader.evaluate(() => void window.lab.get({ forceRefresh: true }));
  await request.arrived;
  expect(server.log.refreshes().map((entry) => entry.debug['x_tab'])).toEqual([leader.id]);
  await die(leader, death);
  request.drop();
  return tabs.filter((tab) => tab !== leader);
}

for (const death of ['closed', 'killed with SIGKILL'] as const) {
  for (const [kind, forgiveReplayForMs] of [
    ['strict', 0],
    ['forgiving', PATIENT_MS],
  ] as const) {
    // No other engine's driver tells which process is a tab's.
    const tag = death === 'closed' ? [] : '@chromium';
    const core = death === 'closed' ? '@core' : [];
    matrix.describe(`the leader is ${death}, ${kind} server`, { tag }, () => {
      matrix.use({ serverOptions: { forgiveReplayForMs } });

      const engines = death === 'closed' ? '@engines' : [];
      matrix('idle: the next need is served with one request', { tag: engines }, async ({ world }) => {
        const { server, tabs, die } = world;
        const leader = await expectOneLeader(tabs);
        await die(leader, death);
        const survivors = tabs.filter((tab) => tab !== leader);
        const answers = await getTogether(server, survivors);
        expect(answers).toEqual(survivors.map(() => expect.objectContaining({ subject: 'alice' })));
        await expectInEveryTab(survivors, { status: 'signed-in', version: 2 });
        expect(server.log.refreshes().map((entry) => entry.sent)).toEqual([{ status: 200 }]);
      });

      const smoke = death === 'closed' && kind === 'strict' ? ['@core', '@smoke'] : core;
      matrix('its request never reached the server: the next one does', { tag: smoke }, async ({ world }) => {
        const survivors = await dieOnTheWire(world, 'before', death);
        const answers = await getTogether(world.server, survivors);
        expect(answers).toEqual(survivors.map(() => expect.objectContaining({ subject: 'alice' })));
        await expectInEveryTab(survivors, { status: 'signed-in', version: 2 });

        const decided = world.server.log.refreshes().map((entry) => entry.decided?.status);
        expect(decided, 'the same refresh token again, spent once').toEqual([undefined, 200]);
      });

      if (kind === 'forgiving') {
        matrix('the server had rotated: its answer is asked for again', { tag: core }, async ({ world }) => {
          const survivors = await dieOnTheWire(world, 'after', death);
          const answers = await getTogether(world.server, survivors);
          expect(answers).toEqual(survivors.map(() => expect.objectContaining({ subject: 'alice' })));
          await expectInEveryTab(survivors, { status: 'signed-in', version: 2 });

          const [first, second] = world.server.log.refreshes();
          expect(first?.decided?.status).toBe(200);
          expect(second).toMatchObject({ replayed: true, spent: first?.spent, sent: { status: 200 } });
          expect(world.server.log.refreshes().length).toBe(2);
        });
      } else {
        matrix('the server had rotated: one loss, with the reason', { tag: core }, async ({ world }) => {
          const survivors = await dieOnTheWire(world, 'after', death);
          const answers = await getTogether(world.server, survivors);
          expect(answers).toEqual(
            survivors.map(() =>
              expect.objectContaining({ code: 'ERR_REAUTH_REQUIRED', reason: 'response_lost' }),
            ),
          );
          await expectInEveryTab(survivors, { status: 'reauth-required', version: 1 });

          const events = (await everyTab(survivors, (tab) => tab.evaluate(() => window.lab.events))).flat();
          const announced = events.filter((event) => event.type === 'reauth-required');
          expect(announced).toEqual([expect.objectContaining({ reason: 'response_lost' })]);
          expect(world.server.log.refreshes().map((entry) => entry.decided?.error)).toEqual([
            undefined,
            'invalid_grant',
          ]);

          // The access token at hand is not a part of the loss.
          expect(await everyTab(survivors, (tab) => get(tab))).toEqual(
            survivors.map(() => expect.objectContaining({ subject: 'alice' })),
          );
          // And a new sign-in heals it everywhere.
          await signIn(survivors, 'alice');
          expect(await get(survivors[1] as Tab, { forceRefresh: true })).toMatchObject({
            subject: 'alice',
          });
        });
      }
    });
  }
}
