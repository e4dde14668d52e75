import { createStore, get, update } from 'idb-keyval';
import type { Observation, ObservationType } from './observation.js';

/** One entry of the conflict log: what happened, never a token, and no more of the session's name than tells two apart. */
export type LogEntry = Omit<Observation, 'id'>;

/** What is worth looking at later; a peaceful refresh is not. */
const logged: readonly ObservationType[] = [
  'refresh-failed',
  'conflict',
  'in-doubt',
  'failover',
  'session-lost',
];
const LIMIT = 500;
/** Safari can leave an open hanging for good; milliseconds. */
const LIMIT_MS = 3_000;

export interface ConflictLog {
  readonly add: (observations: readonly Observation[]) => void;
  readonly read: () => Promise<LogEntry[]>;
}

type Stored = readonly (readonly [id: string, entry: LogEntry])[];

/** A log in IndexedDB that all monitors of the origin write together: the same event from several tabs is one entry. */
export function conflictLog(name: string): ConflictLog {
  /** This tab's own view, for browsers that keep nothing. */
  let heard: Stored = [];
  let writing: Promise<unknown> = Promise.resolve();
  let opened: ReturnType<typeof createStore> | undefined;
  const store = (): ReturnType<typeof createStore> => (opened ??= createStore('one-refresh-monitor', 'logs'));

  return {
    add(observations: readonly Observation[]): void {
      const news: Stored = observations
        .filter(({ type }) => logged.includes(type))
        .map(({ id, ...entry }) => [id, { ...entry, sessionId: entry.sessionId.slice(0, 8) }]);
      if (news.length === 0) return;
      heard = merge(heard, news);
      writing = writing
        .then(() => update<Stored>(name, (stored = []) => merge(stored, news), store()))
        .catch(() => {});
    },
    async read(): Promise<LogEntry[]> {
      // Where storage is blocked, or hangs, what this tab heard has to do.
      const stored = await inTime(writing.then(() => get<Stored>(name, store())));
      return merge(stored ?? [], heard).map(([, entry]) => entry);
    },
  };
}

/** What comes of it, unless it fails or takes too long. */
async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), LIMIT_MS);
  });
  return Promise.race([work.catch(() => undefined), limit]).finally(() => clearTimeout(timer));
}

/** Oldest first, each once, the newest of them. */
function merge(stored: Stored, news: Stored): Stored {
  return [...new Map([...news, ...stored])].sort(([, a], [, b]) => a.at - b.at).slice(-LIMIT);
}
