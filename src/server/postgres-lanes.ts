import type { PostgresPool } from './postgres-pool.js';

/** A connection of a pool, in the user's hands until it is released. */
interface Client extends PostgresPool {
  release(destroy: boolean): void;
  on(event: 'error', listener: () => void): unknown;
  off(event: 'error', listener: () => void): unknown;
}

/** A pool of `pg` whose connections send a statement without waiting for the answers before (`pipeline: true`, pg 8.23). */
interface PipelinedPool extends PostgresPool {
  connect(): Promise<Client>;
  readonly options: { readonly pipeline: true };
}

interface Lane {
  readonly client: Promise<Client>;
  /** Statements under way. */
  count: number;
  broken: boolean;
  readonly breaks: () => void;
}

/** So many connections keep a database's processors busy, and each more of them takes time from the others. */
const LANES = 2;

function isPipelined(pool: PostgresPool): pool is PipelinedPool {
  const { connect, options } = pool as Partial<PipelinedPool>;
  return typeof connect === 'function' && options?.pipeline === true;
}

/**
 * Sends all statements over few connections, where they can follow each other at once. A connection goes back to the pool as soon as nothing is
 * under way on it, so an idle store holds none.
 */
export function inLanes(pool: PostgresPool): PostgresPool {
  if (!isPipelined(pool)) return pool;
  const pipelined = pool;
  const lanes = new Map<number, Lane>();
  let turn = 0;

  function open(): Lane {
    const lane: Lane = {
      client: pipelined.connect(),
      count: 0,
      broken: false,
      breaks: () => (lane.broken = true),
    };
    lane.client.then(
      (client) => client.on('error', lane.breaks),
      () => {},
    );
    return lane;
  }

  return {
    async query(statement) {
      const number = turn++ % LANES;
      const entered = lanes.get(number);
      const lane = entered && !entered.broken ? entered : open();
      lanes.set(number, lane);
      lane.count++;
      try {
        return await (await lane.client).query(statement);
      } finally {
        if (--lane.count === 0) {
          if (lanes.get(number) === lane) lanes.delete(number);
          lane.client.then(
            (client) => {
              client.off('error', lane.breaks);
              client.release(lane.broken);
            },
            () => {},
          );
        }
      }
    },
  };
}
