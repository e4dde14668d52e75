import { tell } from './commit.js';
import { hello, scheduleElection } from './election.js';
import { finish } from './flight.js';
import { adopt, failureOf, leads, lifeLeft, pauseForFailure, post, see, store } from './knowledge.js';
import type { Envelope } from './protocol.js';
import { isOpen } from './record.js';
import type { SessionRecord } from './record.js';
import type { Turn } from './state.js';

type Heard<T extends Envelope['type']> = Extract<Envelope, { type: T }>;

/** What another participant says. With a store every message may be lost: it brings speed, the store brings truth. */
export function hear(t: Turn, message: Envelope): void {
  const { s } = t;
  if (s.closed) return;
  switch (message.type) {
    case 'pair':
    case 'session-started':
    case 'signed-out':
      return hearRecord(t, message);
    case 'hello':
      return answer(t, message);
    case 'leader-pong':
      if (s.record?.leader === message.leader && s.elect?.term === s.record.term) s.elect = undefined;
      return;
    case 'changed':
      return reread(t);
    case 'refresh-accepted':
      if (message.to !== s.me || s.flight?.phase !== 'asking') return;
      finish(t);
      s.delegatedUntil = t.now.mono + s.options.refreshTimeoutMs;
      return;
  }

  // The others are about one session at one version: what this tab does not know, it reads.
  const { record } = s;
  const { sessionId, version, term } = message;
  if (record?.sessionId !== sessionId || record.version < version) {
    if (message.type === 'refresh-request') return;
    return reread(t);
  }
  if (!isOpen(record)) return;
  switch (message.type) {
    case 'leader-changed':
      // In memory mode two tabs may have won the same term; every tab settles on the same one.
      if (term > record.term || (term === record.term && message.leader > (record.leader ?? ''))) {
        adopt(t, { ...record, term: term, leader: message.leader }, term > record.term);
      }
      return;
    case 'leader-resigned':
      if (record.leader === message.leader) scheduleElection(t, 0);
      return;
    case 'reauth-required':
      if (record.version !== version || record.ended) return;
      return adopt(t, {
        ...record,
        term: Math.max(term, record.term),
        leader: message.leader,
        ended: { kind: 'reauth-required', reason: message.reason },
      });
    case 'refresh-failed':
      return hearFailure(t, message, record);
    case 'journal':
      if (s.storage !== 'memory' || record.version !== version) return;
      return adopt(t, { ...record, term, leader: message.from, journal: message.journal }, true);
    case 'refresh-request':
      return consider(t, message, record);
  }
}

/** The store may know: ask it. */
function reread(t: Turn): void {
  if (t.s.storage === 'indexeddb') store(t, { kind: 'load' });
  else hello(t);
}

function hearRecord(
  t: Turn,
  { record, unsaved, withheld }: Extract<Envelope, { record: SessionRecord }>,
): void {
  const { s, now } = t;
  const mine = s.record;
  if (withheld) {
    // Access tokens for the callers now, the rest from the store.
    if (isOpen(mine) && mine.sessionId === record.sessionId && record.version > mine.version) {
      s.heard = record;
      for (const [key, token] of Object.entries(record.accessTokens)) see(t, key, token.version, now.mono);
      receive(t, record);
    }
    return reread(t);
  }
  // A session that this tab never heard of: with a store, the store decides.
  if (s.storage === 'indexeddb' && !unsaved && mine?.sessionId !== record.sessionId) return reread(t);
  const known = mine;
  adopt(t, record, true);
  if (s.record === known) return;
  receive(t, record);
  if (!s.loaded && s.storage === 'memory') s.helloUntil = now.mono;
  // Its sender could not save it, so whoever has a store does.
  if (unsaved && s.storage === 'indexeddb') s.saveAt = now.mono;
}

/** A pair on its way counts as just received, unless it lay in the queue of a frozen tab. */
function receive(t: Turn, { version }: SessionRecord): void {
  if (lifeLeft(t.s, '', t.now) > -t.s.options.refreshTimeoutMs) t.s.received = version;
}

/** Somebody starts or wakes. */
function answer(t: Turn, message: Heard<'hello'>): void {
  const { s } = t;
  const { record } = s;
  if (!record || !s.active) return;
  const same = message.sessionId === record.sessionId;
  if (!same || message.version < record.version || (!isOpen(record) && message.leader !== undefined)) {
    if (message.memory || leads(s) || s.storage === 'memory') {
      if (isOpen(record)) tell(t, record, true);
      else post(t, { type: 'signed-out', record, unsaved: true });
    }
  } else if (message.version > record.version) reread(t);
  if (message.leader === s.me && leads(s)) post(t, { type: 'leader-pong', leader: s.me, term: record.term });
}

function hearFailure(t: Turn, message: Heard<'refresh-failed'>, record: SessionRecord): void {
  const { s } = t;
  s.delegatedUntil = undefined;
  if (record.version !== message.version || record.ended) return;
  const of = failureOf(record, message.attempt);
  if (of !== s.pausedFor) pauseForFailure(t, of, message.retryInMs, message);
}

/** A tab without a store asks this one to refresh, because this one has a store. */
function consider(t: Turn, message: Heard<'refresh-request'>, record: SessionRecord): void {
  const { s } = t;
  if (!s.active) return;
  if (record.version > message.version) return tell(t, record, true);
  if (s.storage !== 'indexeddb' || record.ended) return;
  const { version, resource, scope } = message;
  s.request = { version, resource, scope, until: t.now.mono + s.options.refreshTimeoutMs };
  post(t, { type: 'refresh-accepted', to: message.from });
}
