import { get, update } from 'idb-keyval';
import { database } from '../browser/database.js';
import type { Observation, ObservationType } from './observation.js';

/** One entry of the conflict log: the event, never a token, and no more of the session's name than tells two apart. */
export type LogEntry = Omit<Observation, 'id'>;

/** Events worth a later look; a peaceful refresh is not. */
const logged: readonly ObservationType[] = [
  'refresh-failed',
  'conflict',
  'in-doubt',
  'failover',
  'session-lost',
];
const LIMIT = 500;

export interface ConflictLog {
  readonly add: (observations: readonly Observation[]) => void;
  readonly read: () => Promise<LogEntry[]>;
}

type Stored = readonly (readonly [id: string, entry: LogEntry])[];

/** A log in IndexedDB that all monitors of the origin write together: the same event from several tabs is one entry. */
export function conflictLog(name: string): ConflictLog {
  /** This tab's own view, for browsers that keep nothing. */
  let heard: Stored = [];
  const logs = database('one-refresh-monitor', 'logs');

  return {
    add(observations: readonly Observation[]): void {
      const news: Stored = observations
        .filter(({ type }) => logged.includes(type))
        .map(({ id, ...entry }) => [id, { ...entry, sessionId: entry.sessionId.slice(0, 8) }]);
      if (news.length === 0) return;
      heard = merge(heard, news);
      update<Stored>(name, (stored = []) => merge(stored, news), logs).catch(() => {});
    },
    async read(): Promise<LogEntry[]> {
      // Where storage is blocked, or hangs, this tab's own view has to do.
      const stored = await get<Stored>(name, logs).catch(() => undefined);
      return merge(stored ?? [], heard).map(([, entry]) => entry);
    },
  };
}

/** Oldest first, each once, the newest of them. */
function merge(stored: Stored, news: Stored): Stored {
  return [...new Map([...news, ...stored])].sort(([, a], [, b]) => a.at - b.at).slice(-LIMIT);
}
