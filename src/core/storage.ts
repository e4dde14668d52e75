// The session's store: when it is read, what is written again, and how often it may fail.
import { LEASES } from '#leases';
import { SAVE_AGAIN_MS, tell } from './commit.js';
import { hello } from './election.js';
import { newer } from './join.js';
import { access, adopt, emit, endPause } from './knowledge.js';
import { ASK_MS, silenceMs } from './limits.js';
import { isOpen, isUnderWay } from './record.js';
import type { Event, State, Turn } from './state.js';

/** So many store operations failing in a row make the store unusable. */
const STORE_FAILURES = 3;
/** So many are counted: each doubles the time until the next try, which is to come once a minute at least. */
const MOST_FAILURES = 6;

/** Reads the store, to learn of what was missed; newer knowledge in memory is written. */
export function load(t: Turn, real = false): void {
  access(
    t,
    undefined,
    (t, { failed, record }) => {
      const { s, now } = t;
      if (failed) {
        if (s.loaded) return;
        // An unread store is not an empty one: again, or without it.
        // guard: an unread store is not an empty one
        if (s.storage !== 'memory') return load(t);
        s.unread = failed === 'once';
        if (s.unread) s.saveAt = now.mono + saveAgainMs(s);
        s.helloUntil = now.mono + ASK_MS;
        return hello(t);
      }
      const starting = !s.loaded;
      s.loaded = true;
      // A reload is a wake-up, too: it counts for the failures that were missed before it.
      //
      //     A                               reloads ─ reads B's failure ─▶ tries
      //     B            tries ─ fails ─ ✝
      // guard: refusals: a reload counts for the failures that were missed before it
      if (starting && s.pause?.until === Infinity) endPause(t);
      if (starting && s.active) hello(t);
      if (newer(record, s.record) !== record) s.saveAt = now.mono;
    },
    real,
  );
}

/** Less and less often. */
function saveAgainMs({ storeFailures }: State): number {
  return SAVE_AGAIN_MS * 2 ** storeFailures;
}

export function save(t: Turn): void {
  t.s.saveAt = undefined;
  const { unwritable } = t.s;
  // The runtime writes what memory knows better, whatever the change; a store that took nothing is tried in any case.
  access(
    t,
    (base) => (unwritable && base ? { ...base } : undefined),
    (t, { failed, before, record }) => {
      const { s, now } = t;
      if (failed) s.saveAt = now.mono + saveAgainMs(s);
      // Others may have read the store while it lacked this.
      else if (record && newer(before, record) !== before) {
        tell(t, isOpen(record) ? 'pair' : 'signed-out', record, false);
      }
    },
    true,
  );
}

/** Keeps account of the store's health; one failed operation is not a change of mode. */
export function stored(t: Turn, { result, real, resume }: Extract<Event, { type: 'stored' }>): void {
  const { s, now } = t;
  const { storage } = s;
  const { failed, wrote, won, record, isStored } = result;
  if (failed) s.storeFailures = Math.min(s.storeFailures + 1, MOST_FAILURES);
  // guard: processes: time without the store is no silence
  if (LEASES && failed && s.options.leases) watchAnew(t);
  // guard: a store that works is seen although there is nothing to write
  if (failed === 'once') s.unwritable ||= wrote;
  // (Where neither the store nor this participant has a session, there is nothing to try a write with, and nothing to lose.)
  else if (wrote || (real && !failed && !record && !s.record)) s.unwritable = false;
  if (!failed) {
    // Where the quota is used up, reading works all the same.
    if (real && !s.unwritable) {
      if (storage === 'memory' && s.options.answers) s.unsureUntil = now.mono + ASK_MS;
      s.storage = 'indexeddb';
    }
    if (s.storage !== 'memory' && !s.unwritable) s.storeFailures = 0;
    if (real || s.storage !== 'memory') s.unread = false;
    if (isStored) s.saved = record;
    // (A sign-in before the other tabs have answered.)
    s.loaded ||= won;
    adopt(t, record);
  } else if (s.storeFailures >= STORE_FAILURES || failed === 'for-good') s.storage = 'memory';
  if (s.storage !== storage) emit(t, 'storage-changed', { reason: s.storage });
  // The store may work again, and is tried less and less often: a record that only memory has is lost with this tab, and a tab that has nothing to
  // write, but no store to read, asks everybody else for what it misses.
  // guard: a tab in memory mode goes back to the store, though it has nothing to write
  // guard: a tab in memory mode goes back to the store
  if (s.storage === 'memory' && s.record) s.saveAt ??= now.mono + saveAgainMs(s);
  resume(t, result);
}

/**
 * What the store hinders is no silence: who sent the request could not write what became of it, either.
 *
 *     A  journal ─ sends ─ answer ─ (store away) ░░░░░░░░░░░░░░ (back) saves the pair
 *     B                             waits ░░░ reads ✗ ── T + R from here ─ finds A's pair
 */
function watchAnew({ s, now }: Turn): void {
  s.journalSeen = now.mono;
  const isProbing = s.flight?.phase === 'probing' && isUnderWay(s.record!);
  if (isProbing) s.flight = { ...s.flight!, until: now.mono + silenceMs(s.options) };
}
