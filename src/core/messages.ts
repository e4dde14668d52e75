import { tell } from './commit.js';
import { hello, scheduleElection } from './election.js';
import { finish } from './flight.js';
import { access, adopt, failureOf, leads, lifeLeft, pauseFor, post } from './knowledge.js';
import type { Envelope } from './protocol.js';
import type { SessionRecord } from './record.js';
import { isOpen } from './record.js';
import type { Turn } from './state.js';

/** What another participant says. With a store every message may be lost: it brings speed, the store brings truth. */
export function hear(t: Turn, message: Envelope): void {
  const { s, now } = t;
  const { record } = s;
  const { type, sessionId, version, term, leader } = message;
  if (s.closed) return;
  if ('record' in message) return hearRecord(t, message);
  if (type === 'hello') return answer(t, message);
  // What this tab does not know, it reads.
  if (type === 'changed' || record?.sessionId !== sessionId || record.version < version) return reread(t);
  if (!isOpen(record)) return;
  if (type === 'refresh-request') return consider(t, message);
  if (record.version > version) return;

  switch (type) {
    case 'leader-pong':
      if (s.elect?.term === term) s.elect = undefined;
      return;
    case 'leader-changed':
      // In memory mode two tabs may have won the same term; every tab settles on the same one.
      if (term === record.term && leader! <= (record.leader ?? '')) return;
      return adopt(t, { ...record, term, leader });
    case 'leader-resigned':
      if (record.leader === leader) scheduleElection(t, 0);
      return;
    case 'reauth-required':
      return adopt(t, { ...record, term, leader, ended: { kind: type, reason: message.reason } });
    case 'refresh-failed':
      s.delegated = undefined;
      return pauseFor(t, failureOf(record, message.attempt), message.failure);
    case 'journal':
      if (s.storage === 'memory') adopt(t, { ...record, term, leader, journal: message.journal }, true);
      return;
    case 'refresh-accepted':
      if (message.to !== s.me || s.flight?.phase !== 'asking') return;
      finish(t);
      s.delegated = now.mono + s.options.refreshTimeoutMs;
  }
}

/** The store may know: ask it. */
function reread(t: Turn): void {
  if (t.s.storage === 'memory') hello(t);
  else access(t, undefined, () => {});
}

function hearRecord(
  t: Turn,
  { record, unsaved, withheld }: Extract<Envelope, { record: SessionRecord }>,
): void {
  const { s, now } = t;
  const known = s.record;
  // A session that this tab never heard of, or not all of it: with a store, the store decides.
  if (withheld || (s.storage !== 'memory' && !unsaved && known?.sessionId !== record.sessionId))
    return reread(t);
  adopt(t, record, true);
  if (s.record === known) return;
  // On its way it does not age, unless it lay in the queue of a frozen tab.
  if (lifeLeft(s, '', now) > -s.options.refreshTimeoutMs) s.received = record.version;
  if (s.helloUntil) s.helloUntil = now.mono;
  if (unsaved && s.storage !== 'memory') s.saveAt = now.mono;
}

/** Somebody starts or wakes. */
function answer(t: Turn, { sessionId, version, memory, leader }: Extract<Envelope, { type: 'hello' }>): void {
  const { s } = t;
  const { record } = s;
  if (!record || !s.active) return;
  const same = sessionId === record.sessionId;
  if (same && version > record.version) reread(t);
  else if (!same || version < record.version || !isOpen(record)) {
    if (memory || leads(s) || s.storage === 'memory')
      tell(t, isOpen(record) ? 'pair' : 'signed-out', record, memory || !isOpen(record));
  }
  if (same && leader === s.me && leads(s)) post(t, { type: 'leader-pong' });
}

/** A tab without a store asks this one to refresh, because this one has a store. */
function consider(t: Turn, message: Extract<Envelope, { type: 'refresh-request' }>): void {
  const { s, now } = t;
  const record = s.record!;
  if (!s.active) return;
  if (record.version > message.version) return tell(t, 'pair', record, true);
  if (s.storage === 'memory' || record.ended) return;
  const { version, resource, scope } = message;
  s.request = { version, resource, scope, until: now.mono + s.options.refreshTimeoutMs };
  post(t, { type: 'refresh-accepted', to: message.from });
}
