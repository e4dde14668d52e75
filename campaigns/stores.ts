/**
 * `npm run stores`: four processes at one token endpoint, and every refresh a hundred times at once, on each store.
 *
 *     npm run stores -- [--rounds 200] [--duplicates 100] [--store sqlite --store postgres --store redis] [--json FILE]
 *         [--ledger docs/ledgers/stores.jsonl]
 *
 * Every tenth round kills a process that has claimed the token and not spent it; every tenth kills one that has recorded the answer and not given
 * it; every twentieth kills the database and starts it again. Each round has to end with one spend and one answer for all. Every fifth round sends
 * no key, under `withoutKey: 'conflict'`: one spend, one answer, and conflicts for all others. After the last window no row of a spent token is
 * left. A database that cannot be started is skipped by name.
 */
import Database from 'libsql';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres, startRedis, type DatabaseServer } from '../test/support/database-servers.js';
import { commit, writeJson } from '../tools/output.js';
import type { Report, Task } from './stores/worker.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    duplicates: { type: 'string', default: '100' },
    store: { type: 'string', multiple: true, default: ['sqlite', 'postgres', 'redis'] },
    json: { type: 'string' },
    ledger: { type: 'string' },
  },
});
const PROCESSES = 4;
const WINDOW_MS = 30_000;
const CONFLICT = '409 version_conflict';
const rounds = Number(values.rounds);
const duplicates = Number(values.duplicates);
if (!(rounds >= 1 && duplicates >= PROCESSES)) {
  console.error(`--rounds must be at least 1, and --duplicates at least ${PROCESSES}`);
  process.exit(2);
}

/** Single use; a replay is refused. Counts what is spent. */
const live = new Set<string>();
const spends = new Map<string, number>();
const issue = (): string => {
  const token = randomUUID();
  live.add(token);
  return token;
};
const server = http.createServer((req, res) => {
  let text = '';
  req.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  req.on('end', () => {
    const token = new URLSearchParams(text).get('refresh_token') ?? '';
    spends.set(token, (spends.get(token) ?? 0) + 1);
    const known = live.delete(token);
    const body = known
      ? { access_token: randomUUID(), token_type: 'Bearer', expires_in: 60, refresh_token: issue() }
      : { error: 'invalid_grant' };
    setTimeout(() => {
      res.writeHead(known ? 200 : 400, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }, 5);
  });
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;

interface Result {
  store: string;
  rounds: number;
  processesKilled: number;
  databasesKilled: number;
  spends: number;
  answers: number;
  conflicts: number;
  /** Rows of spent tokens after the last window. */
  left: number;
  faults: string[];
  seconds: number;
}

async function campaign(store: string, where: string, database: DatabaseServer | undefined): Promise<Result> {
  const startedAt = performance.now();
  const workers = await Promise.all(Array.from({ length: PROCESSES }, () => startWorker(store, where)));
  const result: Result = {
    store,
    rounds,
    processesKilled: 0,
    databasesKilled: 0,
    spends: 0,
    answers: 0,
    conflicts: 0,
    left: 0,
    faults: [],
    seconds: 0,
  };
  for (let round = 0; round < rounds; round++) {
    const token = issue();
    const die = ({ 4: 'before the spend', 9: 'before the answer' } as const)[round % 10];
    const keyless = round % 5 === 1;
    const tasks = workers.map((_, n): Task => {
      // A process that is to die comes first, so that the claim is its own.
      return { round, token, duplicates: duplicates / PROCESSES, keyless, die: n === 0 ? die : undefined };
    });
    const first = ask(workers[0]!, tasks[0]!);
    // The death has to strike the process with the claim.
    if (die) await first;
    const others = workers.slice(1).map((worker, n) => ask(worker, tasks[n + 1]!));
    if (database && round % 20 === 12) {
      result.databasesKilled++;
      await database.stop('kill');
      await database.restart();
    }
    const reports = await Promise.all([first, ...others]);
    if (reports[0] === undefined) {
      result.processesKilled++;
      workers[0] = await startWorker(store, where);
      // Its clients ask again.
      reports[0] = await ask(workers[0], { ...tasks[0]!, die: undefined });
    }
    const answers = reports.flatMap((report) => report?.issued ?? []);
    const issued = answers.filter((answer) => answer !== CONFLICT);
    const conflicts = answers.length - issued.length;
    const spent = spends.get(token) ?? 0;
    result.spends += spent;
    result.answers += issued.length;
    result.conflicts += conflicts;
    const different = new Set(issued);
    const expected = keyless ? 1 : duplicates;
    if (
      spent !== 1 ||
      different.size !== 1 ||
      issued.length !== expected ||
      conflicts !== duplicates - expected
    )
      result.faults.push(
        `round ${round}${die ? ` (killed ${die})` : ''}${keyless ? ' (no key)' : ''}: ${spent} spends, ${issued.length} answers, ` +
          `${different.size} different, ${conflicts} conflicts`,
      );
    if (reports.includes(undefined)) throw new Error('A process ended that was not to end');
  }
  // The workers go on sweeping until the last window is over.
  for (const until = Date.now() + 2 * WINDOW_MS; ; await sleep(500)) {
    result.left = await count(store, where);
    if (result.left === 0 || Date.now() > until) break;
  }
  if (result.left > 0) result.faults.push(`${result.left} rows were left`);
  for (const worker of workers) worker.kill('SIGKILL');
  return { ...result, seconds: (performance.now() - startedAt) / 1000 };
}

/** How many spent tokens the database knows. */
async function count(store: string, where: string): Promise<number> {
  if (store === 'sqlite') {
    const db = new Database(where, { readonly: true });
    const row = db.prepare('SELECT count(*) AS count FROM one_refresh_spent').get() as { count: number };
    db.close();
    return row.count;
  }
  if (store === 'postgres') {
    const client = new Client({ host: '127.0.0.1', port: Number(where), user: 'postgres' });
    await client.connect();
    const { rows } = await client.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM one_refresh_spent',
    );
    await client.end();
    return rows[0]!.count;
  }
  const client = new Redis({ host: '127.0.0.1', port: Number(where) });
  const keys = await client.keys('*spent:*');
  client.disconnect();
  return keys.length;
}

function startWorker(store: string, where: string): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('stores/worker.ts', import.meta.url));
  const worker = fork(file, [store, where, endpoint, String(WINDOW_MS)], { execArgv: ['--import', 'tsx'] });
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve(worker));
    worker.once('exit', (code) => reject(new Error(`A process did not start: ${code}`)));
  });
}

/** `undefined` if the process died over it. */
function ask(worker: ChildProcess, task: Task): Promise<Report | undefined> {
  return new Promise((resolve) => {
    const exit = (): void => end(undefined);
    const end = (report: Report | undefined): void => {
      worker.off('message', end);
      worker.off('exit', exit);
      resolve(report);
    };
    worker.on('message', end);
    worker.once('exit', exit);
    worker.send(task);
  });
}

const results: Result[] = [];
for (const store of values.store) {
  const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-stores-'));
  let database: DatabaseServer | undefined;
  try {
    if (store === 'postgres') database = await startPostgres();
    if (store === 'redis') database = await startRedis();
  } catch (error) {
    console.log(`${store}: skipped, ${(error as Error).message}`);
    continue;
  }
  try {
    const where = database ? String(database.port) : path.join(folder, 'sessions.db');
    const result = await campaign(store, where, database);
    results.push(result);
    console.log(
      `${store}: ${result.rounds} rounds at ${PROCESSES} processes, ${result.spends} spends, ${result.answers} answers, ${result.conflicts} conflicts, ` +
        `${result.processesKilled} processes and ${result.databasesKilled} databases killed, ${result.left} rows left, ${result.faults.length} faults, ${result.seconds.toFixed(0)} s`,
    );
    for (const fault of result.faults) console.error(`${store}: ${fault}`);
  } finally {
    await database?.remove();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
server.close();
server.closeAllConnections();
await sleep(0);
writeJson(values.json, { results });
if (values.ledger !== undefined) {
  const line = {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    command: `npm run stores -- ${process.argv.slice(2).join(' ')}`,
    duplicates,
    processes: PROCESSES,
    results,
  };
  mkdirSync(path.dirname(values.ledger), { recursive: true });
  appendFileSync(values.ledger, `${JSON.stringify(line)}\n`);
}
process.exitCode = results.some(({ faults }) => faults.length > 0) ? 1 : 0;
