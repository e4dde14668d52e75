import { parseMessage } from '../core/parse.js';
import { errorCode } from '../core/sanitise.js';
import type { CoordinatorEvent } from '../core/types.js';

/** The observations that a monitor counts: the events of whoever sent a token request, a change of leader, a lost session. Never a token in it. */
export type ObservationType =
  | 'refresh-started'
  | 'refresh-succeeded'
  | 'refresh-failed'
  | 'conflict'
  | 'in-doubt'
  | 'failover'
  | 'session-lost';

/** One thing that happened, anywhere in the origin. */
export interface Observation {
  /** The same in every tab that heard of it. */
  readonly id: string;
  readonly type: ObservationType;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly sessionId: string;
  /** The version whose refresh token was spent, or was to be. */
  readonly version: number;
  readonly attempt?: number | undefined;
  readonly reason?: string | undefined;
  readonly durationMs?: number | undefined;
}

/** Of one version; nobody tries more often. */
const MOST_ATTEMPTS = 10_000;
/** With one message; nobody has more to tell. */
const MOST_EVENTS = 100;

const told: readonly string[] = [
  'refresh-started',
  'refresh-succeeded',
  'refresh-failed',
  'conflict',
  'in-doubt',
] satisfies ObservationType[];

/** Reads the messages of all participants of one name. Any script of the origin can post, so nothing is taken over as it is. */
export function createReader(): (data: unknown, now: number) => Observation[] {
  let leader: { sessionId: string; term: number; id: string | undefined } | undefined;

  return (data, now) => {
    const message = parseMessage(data, now);
    if (!message) return [];
    const { type, sessionId, version, term, ended } = message;
    const seen = readEvents((data as { readonly events?: unknown }).events);
    const about = { at: now, sessionId, version };

    if (type === 'reauth-required') {
      seen.push(sessionLost(about, ended?.reason));
    }
    if (sessionId !== '' && (leader?.sessionId !== sessionId || term > leader.term)) {
      const before = leader?.sessionId === sessionId ? leader.id : undefined;
      const next = message.leader ?? before;
      if (before !== undefined && next !== before) {
        seen.push({ ...about, id: `failover:${sessionId}@${term}`, type: 'failover' });
      }
      leader = { sessionId, term, id: next };
    }
    return seen;
  };
}

export function sessionLost(
  { at, sessionId, version }: Pick<Observation, 'at' | 'sessionId' | 'version'>,
  reason: unknown,
): Observation {
  const id = `session-lost:${sessionId}.${version}`;
  return { id, at, sessionId, version, type: 'session-lost', reason: short(reason) };
}

/** The events that came with a message, or from the tab's own coordinator; unsound members are left out. */
export function readEvents(events: unknown): Observation[] {
  return Array.isArray(events)
    ? events
        .slice(0, MOST_EVENTS)
        .map(readEvent)
        .filter((one) => one !== undefined)
    : [];
}

function readEvent(event: unknown): Observation | undefined {
  const { type, at, sessionId, version, attempt, reason, durationMs } = Object(event) as CoordinatorEvent;
  if (!told.includes(type) || typeof sessionId !== 'string') return undefined;
  if (![at, version, attempt, durationMs ?? 0].every(Number.isFinite) || attempt! > MOST_ATTEMPTS)
    return undefined;
  const spent = type === 'refresh-succeeded' ? version! - 1 : version!;
  return {
    id: `${type}:${sessionId}.${spent}#${attempt}@${at}`,
    type: type as ObservationType,
    at,
    sessionId,
    version: spent,
    attempt,
    reason: short(reason),
    durationMs,
  };
}

function short(text: unknown): string | undefined {
  return typeof text === 'string' ? errorCode(text) : undefined;
}
