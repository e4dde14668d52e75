import { parseRecord, parseRevocations } from './core/parse.js';
import type { ClockPort, StorePort } from './core/ports.js';
import type { Revocation, SessionRecord } from './core/record.js';
import { MOST_REVOCATIONS } from './core/record.js';
import { tokensIn } from './core/pair.js';

/** How long the second try waits after the first one, the third after the second, and so on; milliseconds. The eighth is the last. */
const WAITS_MS = [1_000, 10_000, 60_000, 600_000, 3_600_000, 14_400_000, 28_800_000];
/** No token is kept for longer. */
const KEPT_MS = 86_400_000;

/** Tokens still to be revoked, and the store that keeps it beside the session. */
export interface Revocations {
  readonly store: StorePort;
  /** Revokes a refresh token: now, or once the session `after` is over. */
  readonly revoke: (token: string, after?: string) => void;
}

/**
 * A store that also keeps each refresh token until its revocation is known to have worked: the server may not be reached, or the page may
 * go before the answer. A token is written with the next write of the session, so together with its tombstone. Any participant of the same
 * binding tries it again when it uses the store anyway: there is no timer and no poll.
 *
 *     A  signs out ─ revoke ─ tombstone and token ─ navigates away ╳
 *     B                                                opens: reads ─ revoke ✓ ─ removes the token
 *
 * @param revoke - rejects if it did not work; absent: this participant revokes nothing, and keeps what others are to revoke
 */
export function withRevocations(
  store: StorePort,
  { wall }: Pick<ClockPort, 'wall'>,
  binding: string | undefined,
  revoke: ((token: string) => Promise<void>) | undefined,
): Revocations {
  /** Newer knowledge than the store's; `undefined`: it is done. */
  const mine = new Map<string, Revocation | undefined>();
  const travelling = new Set<string>();

  /** The tokens to keep. Never a token that is in use: to some servers it stands for its whole grant (RFC 7009 §2.1). */
  function merge(stored: unknown, next = stored): Revocation[] {
    const known = parseRevocations(stored).map((one) => [one.token, one] as const);
    const used = tokensIn(parseRecord(next, wall()));
    return Array.from(new Map([...known, ...mine]).values())
      .filter((one) => one !== undefined)
      .filter(({ token, at, tries }) => {
        const isSpent = tries > WAITS_MS.length && !travelling.has(token);
        return !isSpent && Math.abs(wall() - at) < KEPT_MS && !used.includes(token);
      })
      .slice(-MOST_REVOCATIONS);
  }

  function isDue({ token, binding: of, next, after }: Revocation, stored: unknown): boolean {
    const { sessionId, ended } = Object(stored) as Partial<SessionRecord>;
    const waits = after !== undefined && after === sessionId && ended?.kind !== 'signed-out';
    return revoke !== undefined && of === binding && !waits && next <= wall() && !travelling.has(token);
  }

  /** The record with what is to be kept beside it; `due`: with these tries more. */
  function write(stored: unknown, next: SessionRecord, due: readonly Revocation[] = []): SessionRecord {
    const revocations = merge(stored, next).map((one) => due.find(({ token }) => token === one.token) ?? one);
    if (!revocations[0] && !hasRevocations(next)) return next;
    return { ...next, revocations: revocations[0] && revocations } as SessionRecord;
  }

  /** Writes what this participant knows better, and takes up what is due. */
  async function sync(): Promise<void> {
    let due: Revocation[] = [];
    let kept: Revocation[] = [];
    try {
      await store.update((stored) => {
        kept = merge(stored);
        due = kept
          .filter((one) => isDue(one, stored))
          .map((one) => ({ ...one, tries: one.tries + 1, next: wall() + (WAITS_MS[one.tries] ?? 0) }));
        const next = write(stored, stored as SessionRecord, due);
        return JSON.stringify(next) === JSON.stringify(stored) ? undefined : next;
      });
    } catch {
      // The next write of the session has it.
      return;
    }
    // From now on the store tells of it. (Not of one whose session is still open there.)
    for (const [token, one] of mine) {
      const isKept = !one || kept.some((other) => other.token === token);
      if (isKept && !travelling.has(token)) mine.delete(token);
    }
    due.forEach(send);
  }

  function send(one: Revocation): void {
    const { token } = one;
    // guard: a revocation is kept with the tombstone, for the case that the page goes
    mine.set(token, one);
    travelling.add(token);
    const end = (left?: Revocation): void => {
      travelling.delete(token);
      mine.set(token, left);
      void sync();
    };
    // guard: a revocation that fails is kept to be tried again
    (async () => revoke!(token))().then(
      () => end(),
      () => end(one),
    );
  }

  /** The list read or written: is there anything to be done? */
  function look(stored: unknown): void {
    if (!hasRevocations(stored)) return;
    const kept = merge(stored);
    const isStale = kept.length < (stored.revocations as readonly unknown[]).length;
    if (isStale || kept.some((one) => isDue(one, stored))) void sync();
  }

  return {
    store: {
      async read() {
        const stored = await store.read();
        look(stored);
        return stored;
      },
      async update(change) {
        let seen: unknown;
        await store.update((stored) => {
          const next = change(stored);
          seen = next && (mine.size > 0 || hasRevocations(stored)) ? write(stored, next) : (next ?? stored);
          return next && (seen as SessionRecord);
        });
        look(seen);
      },
    },
    revoke(token, after) {
      if (!revoke) return;
      const at = wall();
      if (after === undefined) return send({ token, binding, at, tries: 1, next: at + WAITS_MS[0]! });
      mine.set(token, { token, binding, at, tries: 0, next: at, after });
      void sync();
    },
  };
}

function hasRevocations(stored: unknown): stored is { revocations: unknown } {
  const given = Object(stored) as { revocations?: unknown };
  return (
    Object.hasOwn(given, 'revocations') && Array.isArray(given.revocations) && given.revocations.length > 0
  );
}
