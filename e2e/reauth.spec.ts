// Asking to sign in again: said in one tab only, as long as that tab is there.
import { everyTab, expectInEveryTab, get, signIn } from './harness/ask.js';
import { expect, PATIENT_MS, test, type Tab } from './fixtures.js';
import { lastWords } from './harness/last-words.js';

test.use({ tabOptions: { proactive: 'never' } });

async function announcers(tabs: readonly Tab[]): Promise<Tab[]> {
  const said = await everyTab(tabs, (tab) =>
    tab.evaluate(() => window.lab.events.filter((event) => event.type === 'reauth-required').length),
  );
  expect(Math.max(...said), 'nobody says it twice').toBeLessThanOrEqual(1);
  return tabs.filter((_tab, index) => said[index] === 1);
}

test.extend({ partition: lastWords })(
  'when the tab that asked closes, another one asks',
  { tag: '@last-words' },
  async ({ server, newTabs, newTab }) => {
    let tabs = await newTabs(4);
    await signIn(tabs);
    server.faults.add({ instead: { status: 400, body: { error: 'invalid_grant' } }, times: 'always' });
    await get(tabs[2] as Tab, { forceRefresh: true });

    while (tabs.length > 1) {
      await expectInEveryTab(tabs, { status: 'reauth-required' });
      await expect.poll(async () => (await announcers(tabs)).length).toBe(1);
      const [asking] = await announcers(tabs);
      tabs = tabs.filter((tab) => tab !== asking);
      await asking?.close();
    }
    await expect.poll(async () => (await announcers(tabs)).length).toBe(1);

    // A tab that comes later knows of the loss, but there is somebody who asks already.
    const late = await newTab({ leaderTimeoutMs: PATIENT_MS });
    await expectInEveryTab([late], { status: 'reauth-required' });
    expect(await get(late, { minValidityMs: 0 })).toMatchObject({ subject: 'alice' });
    expect(await announcers([...tabs, late])).toEqual(tabs);

    server.faults.clear();
    await signIn([late, ...tabs], 'alice');
    expect(await get(tabs[0] as Tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
    expect(server.log.refreshes().length, 'the lost refresh token was not sent again').toBe(2);
  },
);
