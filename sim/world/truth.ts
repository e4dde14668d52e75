import type { Check } from '../judge/check.js';
import type { Exchange } from './network.js';
import type { Participant } from './participant.js';
import { count, type World } from './world.js';

/** Why a refresh token's successor may be gone without a fault of ours: the limits that no client can overcome alone. */
export type Excuse =
  /** The server answered, and no live participant ever heard it. */
  | 'answer lost'
  /** Its page died, or was put away, between the answer and the commit. */
  | 'page gone before the commit'
  /** A retry after the deadline overtook an answer that was still travelling. */
  | 'overtaken'
  /** The browser sent one request twice. */
  | 'duplicate delivery'
  /** The store lost what it had confirmed. */
  | 'store lost it'
  /** No store to read and no message heard: it could not know. */
  | 'blind'
  /** The server ended the session for reasons of its own. */
  | 'revoked by the server';

/** The real events, beyond the knowledge of any participant. */
export interface Truth {
  readonly check: Check;
  /** Requests by the refresh token that they spent. */
  readonly requests: ReadonlyMap<string, readonly Exchange[]>;
  /** When a version was first durable: by `session.version`. */
  readonly committed: ReadonlyMap<string, number>;
  /** The server family of each session. */
  readonly familyOf: ReadonlyMap<string, string>;
  /** Sessions that somebody signed out, and those whose tombstone was durable. */
  readonly signedOut: ReadonlySet<string>;
  readonly buried: ReadonlySet<string>;
  /** Sign-ins that were not to replace an open session. */
  readonly politeFamilies: Map<string, Participant>;
  /** Refresh tokens that clients gave back. */
  readonly revoked: ReadonlySet<string>;
  readonly excuses: ReadonlyMap<string, ReadonlySet<Excuse>>;
  readonly excuse: (refreshToken: string | undefined, excuse: Excuse) => void;
  /** Losses that nobody could have prevented, by their reason. */
  readonly losses: Record<string, number>;
  readonly countLoss: (reason: string) => void;
  /** The store or the channel failed at some time, so that knowledge may have been missing. */
  readonly storeHurt: () => boolean;
  /** The store was wiped or rolled back. */
  storeResetAt: number;
  readonly storeReset: () => boolean;
  versions: number;
}

export function createTruth(world: World): Truth {
  const requests = new Map<string, Exchange[]>();
  const committed = new Map<string, number>();
  const familyOf = new Map<string, string>();
  const signedOut = new Set<string>();
  const buried = new Set<string>();
  const politeFamilies = new Map<string, Participant>();
  const revoked = new Set<string>();
  const excuses = new Map<string, Set<Excuse>>();
  const losses: Record<string, number> = {};
  const truth: Truth = {
    check: {
      sent(exchange) {
        const token = exchange.request.refreshToken ?? '';
        const list = requests.get(token);
        if (list) list.push(exchange);
        else requests.set(token, [exchange]);
      },
      revoked: (token) => void revoked.add(token),
      step(_by, event, before, after) {
        const { record } = after;
        if (record?.subject !== undefined) familyOf.set(record.sessionId, record.subject);
        if (event.type === 'sign-out' && before?.record) signedOut.add(before.record.sessionId);
      },
      written(_by, _before, after) {
        const { sessionId, version, ended } = after;
        // (A record of a hostile script's, written again with what is to be revoked.)
        if (typeof sessionId !== 'string' || typeof version !== 'number') return;
        const key = `${sessionId}.${version}`;
        if (!committed.has(key)) {
          committed.set(key, world.scheduler.now());
          if (version > 1) truth.versions++;
        }
        if (after.subject !== undefined) familyOf.set(sessionId, after.subject);
        if (ended?.kind === 'signed-out') buried.add(sessionId);
      },
    },
    requests,
    committed,
    familyOf,
    signedOut,
    buried,
    politeFamilies,
    revoked,
    excuses,
    excuse(refreshToken = '', excuse) {
      const known = excuses.get(refreshToken);
      if (known) known.add(excuse);
      else excuses.set(refreshToken, new Set([excuse]));
    },
    losses,
    countLoss: (reason) => count(losses, reason),
    storeHurt: () =>
      truth.storeReset() || Object.keys(world.stats.faults).some((fault) => fault.startsWith('store')),
    storeResetAt: -Infinity,
    storeReset: () => truth.storeResetAt > -Infinity,
    versions: 0,
  };
  return truth;
}
