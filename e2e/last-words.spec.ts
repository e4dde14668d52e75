// Firefox ends the script that runs in a process whose last tab is being closed, and often that is the handler of `pagehide`. Nothing of
// the library is in these pages: they show the engine alone. A leader's good-bye can be cut off like this; then the others find out at
// the next need (dying-leader.spec.ts).
import type { Partition } from './engines/engine.js';
import { ownBrowser } from './harness/own-browser.js';
import { expect, test } from './fixtures.js';

const PAGES = 6;

/** Pages that work for a moment while they go, and then say so; how many of them were heard. */
async function heardWhenClosed(partition: Partition, url: string): Promise<number> {
  const listener = await partition.newTab();
  await listener.goto(url);
  await listener.evaluate(() => {
    const heard: string[] = (window.heard = []);
    new BroadcastChannel('last words').addEventListener('message', ({ data }) => heard.push(String(data)));
  });
  for (let i = 0; i < PAGES; i++) {
    const page = await partition.newTab();
    await page.goto(url);
    await page.evaluate((id) => {
      const channel = new BroadcastChannel('last words');
      addEventListener('pagehide', () => {
        const start = performance.now();
        while (performance.now() - start < 50);
        channel.postMessage(id);
      });
    }, `page ${i}`);
    await page.close();
  }
  // A last one comes after all of theirs.
  const last = await partition.newTab();
  await last.goto(url);
  await last.evaluate(() => new BroadcastChannel('last words').postMessage('end'));
  const heard = () => listener.evaluate(() => window.heard ?? []);
  await expect.poll(heard).toContain('end');
  return (await heard()).length - 1;
}

test(
  'Firefox loses what a page says while it is closed',
  { tag: '@firefox' },
  async ({ partition, server }) => {
    expect(await heardWhenClosed(partition, `${server.url}/__lab/elsewhere`)).toBeLessThan(PAGES);
  },
);

const patient = test.extend({
  partition: ownBrowser({ firefox: { 'dom.abort_script_on_child_shutdown': false } }),
});
patient(
  'Firefox, told to let scripts end, loses nothing of it',
  { tag: '@firefox' },
  async ({ partition, server }) => {
    expect(await heardWhenClosed(partition, `${server.url}/__lab/elsewhere`)).toBe(PAGES);
  },
);

declare global {
  interface Window {
    heard?: string[];
  }
}
