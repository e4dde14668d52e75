import { endAttempt, finish } from './flight.js';
import { adopt, emit, post, see, store } from './knowledge.js';
import type { SessionRecord } from './record.js';
import { isOpen, toAccessToken } from './record.js';
import type { Attempt, Event, Operation, Turn } from './state.js';
import type { TokenResponse } from './types.js';

type Commit = Extract<Operation, { kind: 'commit' }>;

/** The next thing that happens after a successful answer. */
export function commit(
  t: Turn,
  attempt: Attempt,
  tokens: TokenResponse,
  life: number | undefined,
  again: boolean,
): void {
  const operation: Commit = { kind: 'commit', attempt, tokens, again, life };
  store(t, operation, (base) => withPair(base, operation));
}

/**
 * One transaction: pair in, journal out. It compares session and version, never term or attempt: the server has
 * rotated, so whatever it gave counts, whoever leads by now, and the first answer of a version wins. A pair that comes
 * too late for its version is kept as a spare: of two pairs for one version nobody but the server knows which one lives.
 *
 *     A  attempt 1 ───────────── T ──────────────────────▶ pair P1: version moved on, spare
 *     B                            attempt 2 ──▶ pair P2: committed as version + 1
 *     C  version + 1: sends P2's refresh token ──▶ invalid_grant ──▶ P1 becomes version + 2
 */
function withPair(
  base: SessionRecord | undefined,
  { attempt, tokens, life }: Commit,
): SessionRecord | undefined {
  if (base?.sessionId !== attempt.sessionId || !isOpen(base)) return undefined;
  const refreshToken = tokens.refresh_token ?? base.refreshToken;
  if (base.version > attempt.version && !base.ended) {
    if (tokens.refresh_token === undefined || tokens.refresh_token === base.refreshToken) return undefined;
    const accessToken = toAccessToken(tokens, base.version, attempt.sent.wall, life);
    return {
      ...base,
      spares: [...(base.spares ?? []), { refreshToken, audience: attempt.key, accessToken }],
    };
  }
  const version = base.version + 1;
  const accessToken = toAccessToken(tokens, version, attempt.sent.wall, life);
  return {
    ...base,
    version,
    refreshToken,
    idToken: tokens.id_token ?? base.idToken,
    accessTokens: { ...base.accessTokens, [attempt.key]: accessToken },
    journal: undefined,
    spares: undefined,
    ended: undefined,
  };
}

/** Whether this answer's pair is the one of its record, rather than a spare. */
function isPairOf(record: SessionRecord | undefined, { attempt, tokens }: Commit): boolean {
  const token = record?.accessTokens[attempt.key];
  return token?.token === tokens.access_token && token.obtainedAt === attempt.sent.wall;
}

/** Durable: then the locks go, then one broadcast, then callbacks. */
export function committed(t: Turn, event: Extract<Event, { type: 'stored' }>): void {
  const operation = event.operation as Commit;
  const { attempt, tokens } = operation;
  if (!event.won) {
    adopt(t, event.record);
    // Signed out or replaced meanwhile: nobody may use this pair. (Or it is only a repetition of what is there.)
    const gone = event.record?.sessionId !== attempt.sessionId || !isOpen(event.record);
    if (gone && !operation.again && tokens.refresh_token !== undefined) {
      t.effects.push({ type: 'revoke', token: tokens.refresh_token });
    }
    return land(t, attempt);
  }
  take(t, operation, event.record!);
  land(t, attempt);
  if (isPairOf(event.record, operation)) announce(t, operation, event.record!, false);
}

/** The pair is in memory alone: say it first, keep the locks for one more try. */
export function commitFailed(t: Turn, operation: Commit): void {
  const { s, now } = t;
  const { attempt } = operation;
  const record = operation.again ? undefined : withPair(s.record, operation);
  if (!record) {
    s.saveAt = now.mono + 1000;
    return land(t, attempt);
  }
  take(t, operation, record);
  announce(t, operation, record, true);
  commit(t, attempt, operation.tokens, operation.life, true);
}

function take(t: Turn, { attempt, again }: Commit, record: SessionRecord): void {
  if (!again) {
    t.s.received = record.version;
    // Its life counts from the request, not from an answer that a freeze may have held up.
    if (record.sessionId === t.s.record?.sessionId) see(t, attempt.key, record.version, attempt.sent.mono);
  }
  adopt(t, record);
}

/** The attempt is over, and the flight that sent it, if it still flies. */
function land(t: Turn, attempt: Attempt): void {
  const { flight } = t.s;
  const flying = flight?.attempt === attempt.tag && flight.phase === 'committing';
  endAttempt(t, attempt);
  if (flying) finish(t);
}

function announce(t: Turn, { attempt, again }: Commit, record: SessionRecord, unsaved: boolean): void {
  tell(t, record, unsaved);
  if (again) return;
  const durationMs = t.now.mono - attempt.sent.mono;
  emit(t, 'refresh-succeeded', { version: record.version, attempt: attempt.number, durationMs });
}

/** The one broadcast of a refresh; it names leader and term as well. */
export function tell(t: Turn, { spares: _, ...record }: SessionRecord, unsaved = false): void {
  const { storage, options } = t.s;
  const withheld = storage === 'indexeddb' && options.broadcast === 'access-token';
  post(t, {
    type: 'pair',
    record: withheld ? { ...record, refreshToken: undefined } : record,
    ...(withheld && { withheld }),
    ...((unsaved || storage === 'memory') && { unsaved: true }),
  });
}
