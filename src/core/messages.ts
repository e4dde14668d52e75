import { tell } from './commit.js';
import { accepted, consider } from './delegation.js';
import { hello } from './election.js';
import { access, adopt, leads, lifeLeft, post } from './knowledge.js';
import { ASK_MS } from './limits.js';
import type { Envelope, Message } from './protocol.js';
import type { SessionRecord } from './record.js';
import { isBoundAlike, isOpen, tombstone } from './record.js';
import { isSamePair } from './pair.js';
import type { Turn } from './state.js';

// guard: a tab with a newer version speaks up when an older one has failed
/** What a tab says of a version after it has sent, or tried to send, its refresh token. */
const TRIED: readonly Message['type'][] = ['reauth-required', 'refresh-failed', 'conflict'];

/** Another participant's message. With a store every message may be lost: it brings speed, the store brings truth. */
export function hear(t: Turn, message: Envelope): void {
  const { s } = t;
  const { record } = s;
  const { type, sessionId, version, term, leader, journal, ended, memory } = message;
  const { binding } = s.options;
  if (s.closed) return;
  // Of another server or client: nothing that it says is believed, asked or answered. But it may have replaced this session.
  const told = 'record' in message ? message.record.binding : undefined;
  // guard: binding: participants of another binding are not believed
  if (!isBoundAlike(binding, message.binding) || !isBoundAlike(binding, told)) {
    if (s.storage !== 'memory') access(t);
    return;
  }
  if ('record' in message) hearRecord(t, message);
  // A hint names session and version only: also of the version at hand something may be new, such as its sign-out.
  else if (type === 'changed') reread(t);
  else if (isOpen(record) && record.sessionId === sessionId && record.version === version) {
    // (Of a session that was signed out nothing is kept that could be used.)
    const over = ended?.kind === 'signed-out';
    // guard: a session that is heard to be signed out keeps no tokens
    adopt(t, over ? tombstone(record, term) : { ...record, term, leader, journal, ended }, true);
    // A tab that was cached has heard of no attempt, and without a store it finds none:
    //
    //     A (no store)  attempt 1 ─ sends ─ closed
    //     B (no store)  cached ░░░░░░░░░░░░░░░░░░░░░ returns: hello ─╮        ╭▶ waits T + R, makes attempt 2
    //     C (no store)            hears of it                        ╰▶ tells ╯
    // guard: a tab without a store is told of an attempt that it does not know of
    if (memory && journal?.at !== s.record!.journal?.at) post(t, { type: 'journal' });
  } else if (type !== 'hello' && !(record?.sessionId === sessionId && record.version > version)) {
    // This tab reads news that it does not know.
    reread(t);
    // guard: a tab with a newer version speaks up when the session is called lost
  } else if (TRIED.includes(type) && isOpen(record)) {
    // A tab that never heard of the token's successor has tried the token. It is told at once, since the store may hang; but a store that
    // forgot the successor has it again before that tab reads.
    //
    //     store  {v2} ─ rolled back ─ {v1} ────────────────────────────────── {v2}
    //     A                             sends v1 ─ refused: says so ─╮               ╭▶ reads again: v2
    //     B  has seen v2 in the store                                ╰▶ writes v2 ───╯ (without its refresh token, as the option wants it)
    // guard: a store that forgot a pair has it again before others read
    access(t, () => undefined);
    tell(t, 'pair', record, true);
  }
  // A sign of life: there is nothing to elect.
  if (message.from === s.record?.leader) s.elect = undefined;

  if (type === 'hello') answer(t, message);
  else if (type === 'refresh-request') consider(t, message);
  else if (type === 'refresh-accepted') accepted(t, message.to);
}

/**
 * The store may know: it is asked. Without one the others are, now and then: all answer, to all. Of each message of a script that posts
 * many, n tabs without a store would make n² others.
 */
export function reread(t: Turn): void {
  const { s, now } = t;
  s.askAt = undefined;
  if (s.storage !== 'memory') return access(t);
  // guard: a tab without a store asks the others now and then, not once per message
  if (now.mono < s.askedUntil) {
    s.askAt = s.askedUntil;
    return;
  }
  s.askedUntil = now.mono + ASK_MS;
  hello(t);
}

function hearRecord(
  t: Turn,
  { record, unsaved, withheld }: Extract<Envelope, { record: SessionRecord }>,
): void {
  const { s, now } = t;
  const known = s.record;
  // A session that this tab never heard of, or not all of it: with a store, the store decides.
  if (s.storage !== 'memory' && (withheld || (!unsaved && known?.sessionId !== record.sessionId)))
    return access(t);
  adopt(t, withheld ? { ...record, withheld } : record, true);
  // Its sender has seen it in a store.
  if (!unsaved && isSamePair(record, s.record)) s.saved = s.record;
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
  // A store that was wiped says that nobody is signed in, and a tab that opens believes it: the missing session is written back.
  //
  //     store  {session} ─ wiped ─ {} ────────────── {session}
  //     B                          opens ─ hello ─▶ A writes ─ pair ─▶ B reads again
  // guard: a wiped store gets the session back as soon as a tab has found it empty
  if (!same && !memory) s.saveAt = t.now.mono;
  if (same && version > record.version) reread(t);
  else if (!same || version < record.version || !isOpen(record)) {
    if (memory || leads(s) || s.storage === 'memory')
      tell(t, isOpen(record) ? 'pair' : 'signed-out', record, memory || !isOpen(record));
  }
  if (same && leader === s.me && leads(s)) post(t, { type: 'leader-pong' });
}
