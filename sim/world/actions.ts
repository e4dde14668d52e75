import type { Calls } from './calls.js';
import type { Checker } from '../judge/checker.js';
import type { Participant } from './participant.js';
import type { Action, ActionKind } from './plan.js';
import { count, type World } from './world.js';

/** How many tabs a world may have in all; a schedule is to stay readable. */
const MOST_TABS = 16;

const OF_ONE_TAB: readonly ActionKind[] = [
  'close',
  'hide',
  'focus',
  'close-tab',
  'crash',
  'freeze',
  'suspend',
  'cache',
  'throttle',
];

/** Carries out one action of a plan. Whatever it did to a participant, it undoes later. */
export function act(world: World, checker: Checker, calls: Calls, action: Action, who: Participant): void {
  const { scheduler, outage, plan } = world;
  const { at, now } = scheduler;
  const { tab } = who;
  const later = (then: () => void): unknown => at(action.for, then);
  const fault = (): void => count(world.stats.faults, action.kind);
  const T = plan.options.refreshTimeoutMs ?? 30_000;

  const pages = world.participants.filter(({ serve }) => !serve).length;

  // A worker is stopped by its browser, at any moment, and that is all that befalls it alone.
  if (who.serve && OF_ONE_TAB.includes(action.kind)) {
    if (!tab.alive()) return;
    count(world.stats.faults, 'worker: stopped');
    world.network.orphan(tab);
    return tab.kill();
  }
  switch (action.kind) {
    case 'get':
      return calls.get(who, action.chance < 0.3 ? { timeoutMs: T * action.chance } : {});
    case 'get-other-audience':
      return calls.get(who, { resource: action.chance < 0.5 ? 'https://a.test' : 'https://b.test' });
    case 'get-fresh':
      return calls.get(who, { minValidityMs: action.chance * plan.life * 1000 });
    case 'force':
      return calls.get(who, { forceRefresh: true });
    case 'unauthorized-everywhere':
      for (const one of world.participants) {
        at(action.chance * 50 * (one.tab.index % 4), () => calls.get(one, { forceRefresh: true }));
      }
      return;
    case 'sign-in':
      return calls.signIn(who, false);
    case 'sign-in-if-signed-out':
      for (const one of world.participants) calls.signIn(one, true);
      return;
    case 'sign-out':
      return calls.signOut(who);
    case 'sign-out-page':
      if (pages < MOST_TABS) calls.signOut(world.open({ active: true, visible: true }));
      return;
    case 'open':
      if (pages < MOST_TABS) world.open({ active: true, visible: action.chance < 0.7 });
      return;
    case 'close':
      if (!tab.running() || who.closed) return;
      tab.run(() => {
        who.closed = true;
        void who.coordinator.close();
      });
      return;
    case 'hide':
      return hide(world, who, action.for);
    case 'focus':
      return tab.tell('focus');

    case 'prerender': {
      if (pages >= MOST_TABS) return;
      fault();
      const made = world.open({ active: false, visible: false });
      later(() => {
        made.tab.activate();
        made.tab.setVisible(true);
        made.tab.tell('return');
        made.tab.tell('visible');
      });
      return;
    }
    case 'close-tab':
      if (!tab.alive()) return;
      fault();
      return leave(world, who, () => tab.kill());
    case 'crash':
      if (!tab.alive()) return;
      fault();
      world.network.orphan(tab);
      return tab.kill();
    case 'crash-between':
      fault();
      who.fuse = Math.floor(action.chance * 4);
      return;
    case 'freeze':
      // A page on its way into the cache is frozen there, and wakes when it comes back.
      if (!tab.running() || who.left) return;
      fault();
      tab.tell('freeze');
      tab.freeze(false);
      checker.retired(who);
      later(() => {
        tab.thaw();
        tab.tell('return');
      });
      return;
    case 'suspend':
      if (!tab.running() || who.left) return;
      fault();
      tab.freeze(action.chance < 0.3);
      later(() => tab.thaw());
      return;
    case 'cache':
      if (!tab.running() || who.left) return;
      fault();
      return leave(world, who, () => {
        tab.setCached(true);
        tab.freeze(false);
        checker.retired(who);
        later(() => {
          if (world.calm) return;
          if (action.chance < 0.3) return tab.kill();
          who.left = false;
          who.returnedAt = now();
          tab.setCached(false);
          tab.thaw();
          tab.tell('return');
        });
      });
    case 'sleep':
      fault();
      for (const one of world.participants) {
        if (!one.tab.running() || one.left) continue;
        one.tab.freeze(true);
        later(() => one.tab.thaw());
      }
      return;
    case 'throttle':
      fault();
      tab.throttle(action.chance < 0.5 ? 1_000 : 60_000);
      later(() => tab.throttle(0));
      return;
    case 'jump': {
      fault();
      // The machine's clock: every tab's. (Sometimes of one tab alone: browsers derive it per process.)
      const by = (action.chance - 0.5) * 2 * ((action.chance * 100) % 1 < 0.5 ? 3_600_000 : action.for);
      for (const one of (action.chance * 10) % 1 < 0.8 ? world.participants : [who])
        one.tab.jump(Math.round(by));
      return;
    }
    case 'browser-crash': {
      fault();
      for (const one of world.participants) {
        if (!one.tab.alive()) continue;
        world.network.orphan(one.tab);
        one.tab.kill();
      }
      // Strict durability is a promise that not every disk keeps.
      const former = world.database.history()[1];
      if (action.chance < 0.2 && former) {
        checker.truth.storeResetAt = now();
        count(world.stats.faults, 'store: rolled back');
        world.database.overwrite(former);
      }
      for (let n = 0; n < 2; n++) at(50 + n * 20, () => world.open({ active: true, visible: n === 0 }));
      return;
    }
    case 'offline':
      fault();
      outage.offline = now() + action.for;
      later(() => {
        for (const one of world.participants) one.tab.tell('online');
      });
      return;
    case 'server-down':
      fault();
      outage.serverDown = now() + action.for;
      return;
    case 'store-down':
      fault();
      outage.storeDown = now() + action.for;
      return;
    case 'wipe':
      fault();
      checker.truth.storeResetAt = now();
      return world.database.overwrite(undefined);
    case 'failover': {
      fault();
      // The replica that takes over lacks the last writes, and the leases.
      const history = world.database.history();
      checker.truth.storeResetAt = now();
      world.database.overwrite(history[Math.floor(action.chance * history.length)]);
      return world.locks.forget();
    }
    case 'revoke': {
      fault();
      const families = world.server.families();
      const last = families[families.length - 1];
      if (last) world.server.revokeFamily(last);
    }
  }
}

function hide({ scheduler }: World, { tab }: Participant, forMs: number): void {
  if (!tab.running() || !tab.visible()) return;
  tab.setVisible(false);
  tab.tell('hidden');
  scheduler.at(forMs, () => {
    if (tab.cached() || !tab.alive()) return;
    tab.setVisible(true);
    tab.tell('visible');
  });
}

/** `pagehide`, and then what becomes of the page. */
function leave(world: World, who: Participant, then: () => void): void {
  const { tab } = who;
  if (!tab.running()) return tab.kill();
  tab.tell('leave');
  who.left = true;
  world.network.orphan(tab);
  // Messages that a page's last task sent are on their way.
  world.scheduler.at(0, then);
}
