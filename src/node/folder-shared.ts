import { watch, type FSWatcher } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { TokenCoordinatorError } from '../core/errors.js';
import { cell, type Cell } from './cell.js';
import { isDead } from './process-identity.js';
import { sealed, type SealingOptions } from './sealed.js';
import type { LeaseRequest, Shared } from './shared.js';

/** A lease as it is stored. No time in it: clocks differ, and jump. */
interface Lease {
  readonly holder: string;
  readonly ttlMs: number;
  /** Prolonged so many times. */
  readonly count: number;
}

/** So many other writers may be in between. */
const MOST_TRIES = 50;
/** So many leases are watched at once; then they count again. */
const MOST_SEEN = 10_000;
/** Several changes at once are one message; milliseconds. */
const GATHER_MS = 10;
/** A folder that could not be watched is tried again; milliseconds. */
const WATCH_AGAIN_MS = 5_000;

/**
 * A folder on a local disk as the shared part: for several processes of one machine, without a server. Files are readable by their owner
 * only (0600, folders 0700). Records are written by exclusive create, so a process that dies or is stopped at any moment leaves nothing to
 * repair. Not for network file systems.
 *
 * @param folder - made if need be; a leading `~/` is the user's home
 * @throws `ERR_CONFIGURATION` if `folder` is no path, or a key is not usable
 */
export function folderShared(folder: string, options: SealingOptions = {}): Shared {
  if (typeof folder !== 'string' || folder === '') {
    throw new TokenCoordinatorError('ERR_CONFIGURATION', '`folderShared` takes the path of a folder');
  }
  const root = path.resolve(folder.replace(/^~(?=$|[/\\])/, homedir()));
  const signals = path.join(root, 'signals');
  /** When this process first saw a lease as it is, on its own monotonic clock. */
  const seen = new Map<string, { readonly lease: string; readonly since: number }>();

  const cellOf = (key: string, name: 'record' | 'leases'): Cell =>
    cell(path.join(root, 'sessions', key, name), name === 'record');

  /** A lease is over when it has not been prolonged for its time, by this process's own monotonic clock. So no two clocks are ever compared. */
  function isOver(key: string, name: string, lease: Lease): boolean {
    const id = `${key} ${name}`;
    const text = JSON.stringify(lease);
    const now = performance.now();
    const since = seen.get(id)?.lease === text ? seen.get(id)!.since : now;
    if (seen.size > MOST_SEEN) seen.clear();
    seen.set(id, { lease: text, since });
    // guard: processes: the next holder of the lease of a dead process learns of the death
    return now - since >= lease.ttlMs;
  }

  async function change(
    key: string,
    decide: (leases: Record<string, Lease>) => Record<string, Lease> | undefined,
  ): Promise<void> {
    const leases = cellOf(key, 'leases');
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const stored = await leases.read();
      const known = readLeases(stored?.text);
      const next = decide(known);
      if (!next) return;
      if ((await leases.write(stored?.mark, JSON.stringify(next))) !== undefined) return;
    }
    throw new Error('The leases change all the time');
  }

  async function take({ key, name, holder, ttlMs, instead }: LeaseRequest, steal: boolean): Promise<string> {
    let present = holder;
    await change(key, (leases) => {
      const lease = leases[name];
      const isMine = lease?.holder === holder;
      const isFree = !lease || isMine || steal || lease.holder === instead || isOver(key, name, lease);
      present = isFree ? holder : lease.holder;
      if (!isFree) return undefined;
      seen.delete(`${key} ${name}`);
      return { ...living(leases, name), [name]: { holder, ttlMs, count: isMine ? lease.count + 1 : 0 } };
    });
    return present;
  }

  /**
   * Without what dead processes have left of attempts before this one. The lease of this attempt stays: its next holder has to learn of the
   * death.
   *
   *     A  refresh, attempt 1 ── sends ✝
   *     B                              takes the refresh lease ─ finds A dead: takes attempt 1 in its place, and need not wait
   */
  function living(leases: Record<string, Lease>, name: string): Record<string, Lease> {
    // guard: processes: the lease of a dead process outlives the leases taken after it
    if (!name.startsWith('attempt:')) return leases;
    return Object.fromEntries(Object.entries(leases).filter(([, { holder }]) => !isDead(holder)));
  }

  const shared: Shared = {
    read: (key) => cellOf(key, 'record').read(),
    write: (key, mark, text) => cellOf(key, 'record').write(mark, text),
    acquire: (lease) => take(lease, false),
    steal: async (lease) => void (await take(lease, true)),
    release: ({ key, name, holder }) =>
      change(key, (leases) => {
        seen.delete(`${key} ${name}`);
        if (leases[name]?.holder !== holder) return undefined;
        const { [name]: _, ...others } = leases;
        return others;
      }),
    async post(topic) {
      await mkdir(signals, { recursive: true, mode: 0o700 });
      await writeFile(path.join(signals, topic), '.', { mode: 0o600 });
    },
    listen(hear, missed) {
      let stopped = false;
      let watcher: FSWatcher | undefined;
      const gathered = new Set<string>();
      const later = (run: () => void, ms: number): void => void setTimeout(run, ms).unref();
      const start = async (): Promise<void> => {
        await mkdir(signals, { recursive: true, mode: 0o700 });
        if (stopped) return;
        watcher = watch(signals, { persistent: false }, (_, topic) => {
          if (!topic) return missed();
          if (gathered.size === 0) {
            later(() => {
              const all = [...gathered];
              gathered.clear();
              if (!stopped) all.forEach(hear);
            }, GATHER_MS);
          }
          gathered.add(topic);
        });
        watcher.on('error', () => {
          watcher?.close();
          again();
        });
      };
      // Without a watch messages are lost, which only costs time.
      const again = (): void => {
        later(() => {
          if (!stopped) start().then(missed, again);
        }, WATCH_AGAIN_MS);
      };
      const started = start().catch(again);
      return async () => {
        stopped = true;
        await started;
        watcher?.close();
      };
    },
  };
  return sealed(shared, options);
}

/** An unreadable file is no lease: nobody could end it. */
function readLeases(text: string | undefined): Record<string, Lease> {
  try {
    return Object(JSON.parse(text ?? '{}')) as Record<string, Lease>;
  } catch {
    return {};
  }
}
