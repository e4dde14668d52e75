// `storage: 'session'`: reloads and new tabs find the session, and it is gone with the last tab.
import { expectInEveryTab, expectPeace, get, signIn, snapshotOf } from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never', storage: 'session' } });

/** The contents of IndexedDB, as names and as text. */
function atRest(tab: Tab) {
  return tab.evaluate(async () => {
    const stored = Object((await window.lab.readRecord()) as object) as Record<string, unknown>;
    const bytes = Object.values(stored).map((value) =>
      value instanceof ArrayBuffer ? new TextDecoder('latin1').decode(value) : String(value),
    );
    return { members: Object.keys(stored).sort(), text: bytes.join(' ') };
  });
}

test(
  'reaches every tab, encrypted, until the last closes',
  { tag: ['@core', '@smoke'] },
  async ({ server, newTabs, newTab }) => {
    const tabs = await newTabs(2);
    await signIn(tabs);
    await tabs[0]!.close();
    const alone = tabs[1]!;
    await alone.goto(await alone.evaluate(() => location.href));
    await expectInEveryTab([alone], { status: 'signed-in', subject: 'alice', storage: 'indexeddb' });

    const late = await newTab();
    const token = await get(late, { forceRefresh: true });
    expect(await get(alone)).toMatchObject({
      subject: 'alice',
      tokenId: 'tokenId' in token && token.tokenId,
    });
    expectPeace(server, 1);
    const { members, text } = await atRest(late);
    expect(members).toEqual(['data', 'iv', 'key']);
    for (const word of ['alice', 'refreshToken', 'accessTokens', 'sessionId'])
      expect(text).not.toContain(word);

    await Promise.all([alone.close(), late.close()]);
    const next = await newTab();
    await expectInEveryTab([next], { status: 'signed-out' });
    await signIn([next]);
    expect(await snapshotOf(next)).toMatchObject({ status: 'signed-in', storage: 'indexeddb' });
  },
);
