// The events that an application's listeners see: the world after the event, each event where it belongs, and never a token.
import { everyTab, expectInEveryTab, get, getInTurn, signIn } from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never' } });

test('the snapshot is current while an event is told', async ({ server, newTabs }) => {
  const tabs = await newTabs(3);
  await signIn(tabs);
  await getInTurn(tabs);
  await expectInEveryTab(tabs, { version: 4 });
  server.faults.add({ instead: { status: 400, body: { error: 'invalid_grant' } }, times: 'always' });
  await get(tabs[0] as Tab, { forceRefresh: true });
  await expectInEveryTab(tabs, { status: 'reauth-required' });
  await signIn(tabs, 'bob');
  await tabs[1]?.evaluate(() => window.lab.coordinator.signOut());
  await expectInEveryTab(tabs, { status: 'signed-out' });

  const events = (await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.events))).flat();
  const told = (type: string) => events.filter((event) => event.type === type);
  expect(told('session-started').length).toBeGreaterThanOrEqual(tabs.length);
  for (const { snapshot } of told('session-started')) expect(snapshot.status).toBe('signed-in');
  expect(told('signed-out').length).toBe(tabs.length);
  for (const { snapshot } of told('signed-out')) expect(snapshot.status).toBe('signed-out');
  expect(told('reauth-required').length).toBe(1);
  for (const { snapshot } of told('reauth-required')) expect(snapshot.status).toBe('reauth-required');
  expect(told('refresh-succeeded').length).toBe(3);
  for (const { snapshot, version } of told('refresh-succeeded')) {
    expect(snapshot).toEqual({ status: 'signed-in', role: 'leader', version });
  }
});

test('of one term exactly one tab says that it leads', async ({ newTabs }) => {
  const tabs = await newTabs(3);
  await signIn(tabs);
  await getInTurn(tabs);
  await expectInEveryTab(tabs, { version: 4 });

  const events = (await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.events))).flat();
  const changes = events.filter((event) => event.type === 'leader-changed');
  const terms = [...new Set(changes.map((event) => event.term))];
  expect(terms.length).toBeGreaterThanOrEqual(3);
  for (const term of terms) {
    const leaders = changes.filter((event) => event.term === term && event.snapshot.role === 'leader');
    expect(leaders.length, `leaders of term ${String(term)}`).toBe(1);
  }
});

test('no token in events, snapshots, errors or on the console', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  await signIn(tabs);
  server.faults.add({ instead: { status: 503 }, times: 2 });
  await getInTurn(tabs);
  server.faults.add({ instead: { status: 400, body: { error: 'invalid_grant' } } });
  const failure = await get(tabs[0] as Tab, { forceRefresh: true });
  expect(failure).toMatchObject({ code: 'ERR_REAUTH_REQUIRED' });

  for (const tab of tabs) {
    const leaks = await tab.evaluate(async (json) => {
      const record = await window.lab.readRecord();
      const secrets = JSON.stringify(record).match(/[\w-]{30,}(\.[\w-]+){0,2}/g) ?? [];
      const { events, history, coordinator } = window.lab;
      const said = JSON.stringify([
        events,
        history,
        coordinator.getSnapshot(),
        coordinator.getSnapshot().error,
        json,
      ]);
      const known = [record?.sessionId, record?.leader, record?.journal?.by];
      return {
        secrets: secrets.length,
        leaked: secrets.filter((secret) => !known.includes(secret) && said.includes(secret)),
      };
    }, JSON.stringify(failure));
    expect(leaks.secrets, 'there was something to leak').toBeGreaterThanOrEqual(2);
    expect(leaks.leaked.length).toBe(0);
  }
});
