// The end of a session that is known in advance: one tab is told ahead of it, and the server is not asked after it.
import { everyTab, expectInEveryTab, get } from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never' } });

const LIFE_MS = 8_000;

async function told(tabs: readonly Tab[], type: string) {
  const events = await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.events));
  return events.flat().filter((event) => event.type === type);
}

test(
  'is announced in one tab, and ends all requests',
  { tag: ['@core', '@smoke'] },
  async ({ server, newTabs, newTab }) => {
    const tabs = await newTabs(3);
    const endsAt = await tabs[0]!.evaluate(async (lifeMs) => {
      const sessionExpiresAt = Date.now() + lifeMs;
      await window.lab.signIn('alice', { sessionExpiresAt });
      return sessionExpiresAt;
    }, LIFE_MS);
    await expectInEveryTab(tabs, { status: 'signed-in', sessionExpiresAt: endsAt });

    await expect.poll(() => told(tabs, 'session-ending')).toHaveLength(1);
    await expectInEveryTab(tabs, { status: 'reauth-required' });
    await expect.poll(() => told(tabs, 'reauth-required')).toHaveLength(1);
    const [ending] = await told(tabs, 'session-ending');
    expect(ending).toMatchObject({ reason: 'expiry', endsAt });
    expect(endsAt - (ending?.at ?? 0)).toBeLessThanOrEqual(LIFE_MS / 10);

    const late = await newTab();
    await expectInEveryTab([late], { status: 'reauth-required' });
    for (const tab of [...tabs, late])
      expect(await get(tab, { forceRefresh: true })).toMatchObject({ code: 'ERR_REAUTH_REQUIRED' });
    expect(server.log.refreshes()).toEqual([]);
    expect(await told([...tabs, late], 'session-ending')).toHaveLength(1);
  },
);
