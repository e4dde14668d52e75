// Symptoms of docs/troubleshooting.md that need a browser: the page quotes what is seen here.
import { missing } from '../test/support/troubleshooting-page.js';
import { expectPeace, get, signIn } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { nativePartition } from './harness/native-partition.js';
import type { EngineTab, Partition } from './engines/engine.js';
import { expect, pageOf, test } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never' } });

interface Seen {
  readonly snapshot: { readonly status: string; readonly storage: string };
  readonly events: readonly object[];
}

/** The error that an app in this tab is told at its start. */
function look(tab: Pick<EngineTab, 'evaluate'>): Promise<Seen> {
  return tab.evaluate(() => {
    const { status, storage } = window.lab.coordinator.getSnapshot();
    return { snapshot: { status, storage }, events: window.lab.events };
  });
}

function expectQuotedStart(heading: string, { snapshot, events }: Seen): void {
  expect(missing(heading, JSON.stringify(snapshot))).toEqual([]);
  expect(events).toEqual([]);
}

async function openIn(partition: Partition, url: string): Promise<EngineTab> {
  const tab = await partition.newTab();
  await tab.goto(url);
  const isReady = () => tab.evaluate(() => 'lab' in window).catch(() => false);
  await expect.poll(isReady, { intervals: [20] }).toBe(true);
  return tab;
}

test('a worker whose script is served as HTML', { tag: '@chromium' }, async ({ server, newTab }) => {
  const tab = await newTab();
  const said = pageOf(tab).waitForEvent('console', (message) => message.type() === 'error');
  await tab.goto(`${server.url}/?tab=${tab.id}&proactive=never&worker=mistyped`);
  expect(missing('The worker is not used', (await said).text())).toEqual([]);

  await signIn([tab]);
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expect(server.log.refreshes().map(({ debug }) => debug['x_tab'])).toEqual([tab.id]);
  const registrations = () =>
    navigator.serviceWorker.getRegistrations().then((all) => all.map(({ scope }) => scope));
  expect(await tab.evaluate(registrations)).toEqual([]);
  expectPeace(server, 1);
});

test(
  'a store that was deleted while no tab was open',
  { tag: '@chromium' },
  async ({ partition, server, newTab }) => {
    const tab = await newTab();
    await signIn([tab]);
    await tab.close();
    const empty = await partition.newTab();
    await empty.goto(`${server.url}/__lab/elsewhere`);
    await empty.evaluate(async () => void (await fetch('/__lab/clear')));
    expectQuotedStart('Gone after a week in Safari', await look(await newTab()));
  },
);

// (Playwright's own Chromium does not partition storage.)
test.extend({ partition: nativePartition })(
  'a frame in a page of another site',
  { tag: '@chromium' },
  async ({ partition, server, newTab }) => {
    await signIn([await newTab()]);
    const embedding = await partition.newTab();
    await embedding.goto(`${server.url.replace('127.0.0.1', 'localhost')}/__lab/elsewhere`);
    // No driver reaches into every engine's frames: it is told what to do, and tells what came of it.
    const query = new URLSearchParams({ tab: 'frame', proactive: 'never', ...before('followOrders') });
    await embedding.evaluate((address) => {
      const frame = document.createElement('iframe');
      frame.src = address;
      document.body.append(frame);
    }, `${server.url}/?${query}`);
    const greeted = () => server.greetings.filter((greeting) => greeting.tab === 'frame');
    await expect.poll(() => greeted().length).toBe(1);
    server.order(
      'frame',
      `{
      const { status, storage } = lab.coordinator.getSnapshot();
      const said = { snapshot: { status, storage }, events: lab.events };
      void fetch('/__lab/greetings', { method: 'POST', body: JSON.stringify({ tab: 'frame', said }) });
    }`,
    );
    await expect.poll(() => greeted().length).toBe(2);
    expectQuotedStart('An iframe has a session of its own', greeted()[1]!.said as Seen);
  },
);

test('a temporary store beside the browser', async ({ engine, server, newTab }) => {
  await signIn([await newTab()]);
  const url = `${server.url}/?tab=view&proactive=never`;
  for (const start of ['the first', 'after the app was closed']) {
    const view = await engine.newPartition();
    const tab = await openIn(view, url);
    expectQuotedStart('A web view has a session of its own', await look(tab));
    await tab.evaluate(() => window.lab.signIn('bob'));
    expect(await look(tab), start).toMatchObject({ snapshot: { status: 'signed-in' } });
    await view.close();
  }
});
