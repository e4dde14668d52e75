// Does to tabs, store and worker what a plan says, and brings back a proof that it struck.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Strike, StrikeKind, Wire } from './plan.js';
import { hostsServiceWorker, within, type Gate, type Tab, type World } from './world.js';

export interface Struck {
  kind: StrikeKind | Wire;
  /** Tabs, or `worker`. */
  who: string[];
  proof: string;
}

export interface Scene {
  world: World;
  /** Processes of the tabs that are to be killed, and those of workers. */
  pids: ReadonlyMap<Tab, number>;
  workerPids: readonly number[];
  /** The participants that wait at the moment, and how they are let go. */
  by: string;
  gate: Gate;
  /** The clean-up when the refresh goes on. */
  soon: (() => Promise<void>)[];
  /** The clean-up at the end of the round. */
  later: (() => Promise<void>)[];
  /** The key of the gate. */
  orders: { failStoreMs?: number };
  /** The request that stands at the gate does not get through. */
  dropped: boolean;
}

export function victimsOf({ victim }: Strike, tabs: readonly Tab[], asker: Tab): Tab[] {
  if (victim === 'all') return [...tabs];
  if (victim === 'asker') return tabs.includes(asker) ? [asker] : [];
  return tabs.filter((tab) => tab !== asker).slice(0, 1);
}

/** Rejects, or resolves with `undefined`, where it did not strike. */
export async function strike(
  scene: Scene,
  { kind, aheadMs = 0 }: Strike,
  victims: Tab[],
): Promise<Struck | undefined> {
  const { world } = scene;
  const who = victims.map(({ id }) => id);
  const [first] = victims;
  const all = async (run: (tab: Tab) => Promise<unknown>): Promise<void> => {
    await Promise.all(victims.map(run));
  };
  const struck = (proof: string, names = who): Struck => ({ kind, who: names, proof });
  if (first === undefined && !kind.startsWith('worker') && kind !== 'new-tab' && kind !== 'store-fails')
    return undefined;

  switch (kind) {
    case 'close':
      await all((tab) => world.closeTab(tab));
      return struck('closed');

    case 'kill': {
      const pids = new Set(victims.map((tab) => scene.pids.get(tab)));
      if (pids.has(undefined)) return undefined;
      const hosts = await Promise.all([...pids].map((pid) => hostsServiceWorker(pid!)));
      const alive = world.there();
      for (const pid of pids) process.kill(pid!, 'SIGKILL');
      await until(() => victims.every(({ state }) => state === 'gone'));
      // Tabs that shared a process die together.
      const names = alive.filter(({ state }) => state === 'gone').map(({ id }) => id);
      return struck(`SIGKILL to ${[...pids].join(', ')}`, hosts.some(Boolean) ? [...names, 'worker'] : names);
    }

    case 'reload':
      await all(async (tab) => {
        const before = await tab.page.evaluate(() => window.chaos.load);
        await tab.page.evaluate(() => void setTimeout(() => location.reload()));
        const after = (): Promise<string | undefined> =>
          within(
            1_000,
            tab.page.evaluate(() => (window as Partial<Window>).chaos?.load),
          ).catch(() => undefined);
        await until(async () => ![before, undefined].includes(await after()));
      });
      return struck('another document');

    case 'navigate':
      await all(async (tab) => {
        await tab.page.evaluate(() => void setTimeout(() => (location.href = '/__chaos/elsewhere')));
        tab.state = 'elsewhere';
        await until(() => tab.page.url().endsWith('/__chaos/elsewhere'));
        scene.later.push(async () => {
          void tab.page.evaluate(() => void setTimeout(() => history.back())).catch(() => {});
          await until(() => !tab.page.url().endsWith('/__chaos/elsewhere'));
          await world.ready(tab);
          tab.state = 'there';
        });
      });
      return struck('elsewhere');

    case 'freeze':
      await all(async (tab) => {
        await tab.session.send('Page.setWebLifecycleState', { state: 'frozen' });
        tab.state = 'frozen';
        scene.later.push(async () => {
          await tab.session.send('Page.setWebLifecycleState', { state: 'active' });
          tab.state = 'there';
          await world.ready(tab);
          const { stills } = await tab.page.evaluate(() => window.chaos.report());
          if (!stills.includes('freeze')) throw new Error(`${tab.id} was not frozen`);
        });
      });
      return struck('frozen; said by the page when it woke');

    case 'offline': {
      const tabs = world.there();
      const emulate = (offline: boolean) => async (tab: Tab) => {
        await tab.session.send('Network.emulateNetworkConditions', {
          offline,
          latency: 0,
          downloadThroughput: -1,
          uploadThroughput: -1,
        });
      };
      world.server.faults.add({ times: 'always', instead: 'reset' });
      await Promise.all(tabs.map(emulate(true)));
      scene.dropped = true;
      scene.soon.push(async () => {
        world.server.faults.clear();
        await Promise.all(tabs.filter(({ state }) => state !== 'gone').map(emulate(false)));
      });
      const online = await Promise.all(tabs.map(({ page }) => page.evaluate(() => navigator.onLine)));
      return online.includes(true)
        ? undefined
        : { kind, who: ['everybody'], proof: 'navigator.onLine is false' };
    }

    case 'clock': {
      const set = (ms: number): Promise<number> =>
        first!.page.evaluate((ahead) => window.chaos.setClockAhead(ahead), ms);
      const ahead = await set(aheadMs);
      scene.later.push(async () => {
        if (first!.state === 'there') await set(0);
      });
      return struck(`${Math.round(ahead / 1000)} s ahead`, [first!.id]);
    }

    case 'store-cleared': {
      const closed = world.notes.length;
      await first!.session.send('Storage.clearDataForOrigin', {
        origin: world.server.url,
        storageTypes: 'indexeddb',
      });
      await until(() => world.notes.slice(closed).some(({ what }) => what === 'store-closed'), 1_000).catch(
        () => {},
      );
      const proof = world.notes.slice(closed).some(({ what }) => what === 'store-closed');
      return proof ? { kind, who: ['everybody'], proof: 'its connections were closed' } : undefined;
    }

    case 'store-fails':
      scene.orders.failStoreMs = 400;
      // Proven by the participant itself, at its first write that fails.
      return struck('', [scene.by]);

    case 'new-tab': {
      const tab = await world.openTab();
      return struck('open', [tab.id]);
    }

    case 'sign-out':
      await within(
        10_000,
        first!.page.evaluate(() => window.chaos.signOut()),
      );
      return struck('signed out', [first!.id]);

    case 'sign-in':
      await within(
        10_000,
        first!.page.evaluate(() => window.chaos.signIn('bob', 600)),
      );
      return struck('bob signed in', [first!.id]);

    case 'worker-stopped': {
      const tab = world.there()[0];
      if (tab === undefined || scene.workerPids.length === 0) return undefined;
      let stopped = false;
      tab.session.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
        if (versions.some(({ runningStatus }) => runningStatus === 'stopped')) stopped = true;
      });
      await tab.session.send('ServiceWorker.enable');
      await tab.session.send('ServiceWorker.stopAllWorkers');
      await until(() => stopped);
      await tab.session.send('ServiceWorker.disable');
      return struck('stopped', ['worker']);
    }

    case 'worker-killed': {
      const [pid, more] = scene.workerPids;
      if (pid === undefined || more !== undefined) return undefined;
      const alive = world.there();
      process.kill(pid, 'SIGKILL');
      await until(async () => !(await world.workerProcesses()).includes(pid));
      // Where it lived in a tab, that tab is gone, too.
      const dead = alive.filter(({ state }) => state === 'gone').map(({ id }) => id);
      return struck(`SIGKILL to ${pid}`, ['worker', ...dead]);
    }

    case 'worker-unregistered': {
      const tab = world.there()[0];
      if (tab === undefined) return undefined;
      const left = await within(
        5_000,
        tab.page.evaluate(() => window.chaos.unregisterWorker()),
      );
      return left === 0 ? struck('no registration left', ['registration']) : undefined;
    }
  }
}

/** The rule by which the server's faults do it; proven by the server's log. */
export function arm(world: World, wire: Wire): void {
  const { faults } = world.server;
  switch (wire) {
    case 'slow':
      return faults.add({ delayMs: 400 });
    case 'slow-answer':
      return faults.add({ answerDelayMs: 400 });
    case 'hang':
      return faults.add({ instead: 'hang' });
    case 'answer-hangs':
      return faults.add({ afterwards: 'hang' });
    case '5xx':
      return faults.add({ instead: { status: 503 } });
    case '5xx-afterwards':
      return faults.add({ afterwards: { status: 502 } });
    case '429':
      return faults.add({ instead: { status: 429, headers: { 'retry-after': '1' } } });
    case 'drop':
      return faults.add({ instead: 'reset' });
    case 'answer-dropped':
      return faults.add({ afterwards: 'reset' });
    case 'duplicate':
      world.duplicates = 1;
  }
}

export async function until(is: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; !(await is()); await sleep(10)) {
    if (Date.now() > end) throw new Error(`It did not come about within ${ms} ms`);
  }
}
