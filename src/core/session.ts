import { TokenCoordinatorError } from './errors.js';
import { adopt, post, store } from './knowledge.js';
import { tell } from './commit.js';
import type { SessionRecord } from './record.js';
import { isOpen, SCHEMA, toAccessToken } from './record.js';
import type { Event, Operation, Turn } from './state.js';

type Begin = Extract<Operation, { kind: 'session' }>;
type End = Extract<Operation, { kind: 'sign-out' }>;
type Stored = Extract<Event, { type: 'stored' }>;

/** Begins a session, replacing any other. The tab where the user just signed in leads it. */
export function beginSession(t: Turn, operation: Begin): void {
  const { me } = t.s;
  const { tokens, sessionId, subject, ifSignedOut, life, at } = operation;
  store(t, operation, (base) => {
    if (ifSignedOut && isOpen(base) && !base.ended) return undefined;
    return {
      schema: SCHEMA,
      startedAt: Math.max(at, (base?.startedAt ?? 0) + 1),
      term: (base?.term ?? 0) + 1,
      leader: me,
      sessionId,
      version: 1,
      subject,
      refreshToken: tokens.refresh_token,
      idToken: tokens.id_token,
      accessTokens: { '': toAccessToken(tokens, 1, at, life) },
    };
  });
}

export function sessionBegun(t: Turn, event: Stored): void {
  const { call } = event.operation as Begin;
  adopt(t, event.record);
  if (event.won) tellSession(t, event.record!);
  t.effects.push({ type: 'settle', id: call });
}

function tellSession(t: Turn, record: SessionRecord): void {
  const { storage, options } = t.s;
  if (storage === 'indexeddb' && options.broadcast === 'access-token') return tell(t, record);
  post(t, { type: 'session-started', record, ...(storage === 'memory' && { unsaved: true }) });
}

/** What is left of a session that was signed out: nothing to use, enough to recognise it. */
function tombstone(record: SessionRecord): SessionRecord {
  const { schema, startedAt, term, sessionId, version } = record;
  return {
    schema,
    startedAt,
    term: term + 1,
    sessionId,
    version,
    accessTokens: {},
    ended: { kind: 'signed-out' },
  };
}

/**
 * Ends the session that this tab sees, and only that one. In this tab it is over at once, whatever the store says; the
 * tombstone makes it final: a refresh in flight will find it, not commit, and revoke what it got.
 */
export function endSession(t: Turn, { call, revoke }: Extract<Event, { type: 'sign-out' }>): void {
  const { record } = t.s;
  if (!isOpen(record)) {
    t.effects.push({ type: 'settle', id: call });
    return;
  }
  const { sessionId, refreshToken } = record;
  const operation: End = { kind: 'sign-out', call, sessionId, revoke, refreshToken };
  const grave = tombstone(record);
  // Before anything else runs: the store's answer takes a while, and no token may be handed out meanwhile.
  adopt(t, grave);
  post(t, { type: 'signed-out', record: grave, unsaved: true });
  bury(t, operation);
}

export function bury(t: Turn, operation: End): void {
  store(t, operation, (base) => (base?.sessionId === operation.sessionId ? tombstone(base) : undefined));
}

export function buried(t: Turn, event: Stored): void {
  const { call, revoke, refreshToken } = event.operation as End;
  adopt(t, event.record);
  t.effects.push({ type: 'settle', id: call });
  if (!revoke) return;
  // The store may have held a later pair than this tab knew of.
  const newest = event.before?.refreshToken ?? refreshToken;
  if (newest !== undefined) t.effects.push({ type: 'revoke', token: newest });
}

export function buryFailed(t: Turn, { call }: End): void {
  t.s.saveAt = t.now.mono + 1000;
  const message =
    'Signed out in the open tabs, but the store did not take it; it is tried again while a tab is open';
  t.effects.push({ type: 'settle', id: call, error: new TokenCoordinatorError('ERR_STORAGE', message) });
}
