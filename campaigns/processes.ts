/**
 * `npm run processes`: real processes share sessions on a real Redis, PostgreSQL or folder, against a token endpoint whose refresh tokens
 * work once.
 *
 *     npm run processes -- [--store redis|postgres|folder] [--processes 10] [--expiries 50] [--rounds 200] [--fault NAME …] [--rivals] [--json FILE]
 *
 * First without faults: all processes ask at every expiry. Then, per fault, `--rounds` sessions: one process sends the request, it is held at the
 * server before or after the decision, the fault strikes, and all the others ask. `--rivals` compares three ways without this library.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { silenceMs } from '../src/core/limits.js';
import { createSessions, refreshTokenGrant } from '../src/node/index.js';
import { commit, readNumber, writeJson } from '../tools/output.js';
import type { Answered, ChildOptions } from './processes/child.js';
import { rivals, savePair, type Rival } from './processes/rivals.js';
import { startStrictServer, type Moment, type StrictServer } from './processes/strict-server.js';
import { kinds, openShared, startStore, type Kind, type Store } from './processes/stores.js';

const faults = ['none', 'sigkill', 'sigstop', 'restart', 'cut'] as const;
type Fault = (typeof faults)[number];

const { values } = parseArgs({
  options: {
    store: { type: 'string', multiple: true },
    processes: { type: 'string', default: '10' },
    expiries: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '200' },
    fault: { type: 'string', multiple: true },
    /** `refreshTimeoutMs` of the rounds with faults; a lease is as long. */
    deadline: { type: 'string', default: '3000' },
    rivals: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const processes = readNumber('processes', values.processes);
const expiries = readNumber('expiries', values.expiries);
const rounds = readNumber('rounds', values.rounds);
const deadline = readNumber('deadline', values.deadline);
const chosenKinds = kinds.filter((kind) => values.store?.includes(kind) ?? true);
const chosenFaults = faults.filter((fault) => values.fault?.includes(fault) ?? true);

/** So many sessions are struck by one fault at once. */
const BATCH = 10;

class Child {
  readonly process: ChildProcess;
  readonly ready: Promise<void>;
  private readonly waiting = new Map<number, (answer: Answered) => void>();
  private next = 0;

  constructor(options: ChildOptions) {
    this.process = fork(new URL('processes/child.ts', import.meta.url), [JSON.stringify(options)], {
      execArgv: ['--import', 'tsx'],
    });
    this.ready = new Promise((resolve) => {
      this.process.on('message', (message: 'ready' | Answered) => {
        if (message === 'ready') return resolve();
        this.waiting.get(message.id)?.(message);
        this.waiting.delete(message.id);
      });
    });
    this.process.on('exit', () => {
      for (const [id, answer] of this.waiting) answer({ id, code: 'died', ms: 0 });
    });
  }

  ask(session: string): Promise<Answered> {
    const id = this.next++;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.process.send({ id, session }, (error) => {
        if (error) resolve({ id, code: 'died', ms: 0 });
      });
    });
  }

  end(): void {
    this.process.kill('SIGKILL');
  }
}

async function startChildren(count: number, options: ChildOptions): Promise<Child[]> {
  const children = Array.from({ length: count }, () => new Child(options));
  await Promise.all(children.map((child) => child.ready));
  return children;
}

interface Figures {
  readonly store: string;
  readonly fault: string;
  readonly rounds: number;
  /** Rounds in which the stopped process had its token later than the others wait for: they may ask again, so nothing is judged. */
  overslept: number;
  readonly requests: number;
  readonly answered: number;
  /** Refresh tokens that the server decided on more than once. */
  spentTwice: number;
  /** Of those: its first answer was on its way to a process that lives. */
  violations: number;
  readonly lost: Record<string, number>;
  readonly withoutToken: Record<string, number>;
  readonly slowestMs: number;
}

interface Played {
  readonly store: string;
  readonly way: string;
  readonly processes: number;
  readonly answerMs: number;
  readonly expiries: number;
  readonly requests: number;
  readonly answered: number;
  readonly early: number;
  readonly forcedLogins: number;
  readonly callsWithoutToken: number;
  readonly p50Ms: number;
  readonly slowestMs: number;
}

/** All processes ask at every expiry of one session. */
async function playExpiries(
  store: Store,
  way: ChildOptions['way'],
  count: number,
  delayMs: number,
): Promise<Played> {
  const server = await startStrictServer();
  server.delayMs = delayMs;
  const children = await startChildren(processes, {
    ...store,
    way,
    url: server.url,
    refreshTimeoutMs: 30_000,
  });
  const prefix = `${way}-${delayMs}`;
  const waits: number[] = [];
  let failed = 0;
  let sessions = 0;
  let requests = 0;
  let answered = 0;
  let early = 0;
  let slowest = 0;
  // Its life counts from the request; the slowest process is to find it alive.
  server.life = 3 + delayMs / 1000;
  let name = '';
  const begin = async (): Promise<void> => {
    name = `${prefix}-${sessions++}`;
    await signIn(store, server, name, way);
  };
  const note = (): void => {
    const log = server.log(name);
    requests += log.requests;
    answered += log.answered;
    early += log.early;
  };
  await begin();
  for (let n = 0; n < count; n++) {
    const answers = await Promise.all(children.map((child) => child.ask(name)));
    for (const { token, ms } of answers) if (token !== undefined) waits.push(ms);
    slowest = Math.max(slowest, ...answers.map(({ ms }) => ms));
    failed += answers.filter(({ token }) => token === undefined).length;
    // Its user has to sign in again.
    if (server.log(name).revoked) {
      note();
      await begin();
    } else await new Promise((resolve) => setTimeout(resolve, server.life * 1000 + 20));
  }
  note();
  children.forEach((child) => child.end());
  await server.close();
  waits.sort((a, b) => a - b);
  return {
    store: store.kind,
    way,
    processes,
    answerMs: delayMs,
    expiries: count,
    requests,
    answered,
    early,
    forcedLogins: sessions - 1,
    callsWithoutToken: failed,
    p50Ms: Math.round(waits[Math.floor(waits.length / 2)] ?? 0),
    slowestMs: Math.round(slowest),
  };
}

async function signIn(
  store: Store,
  server: StrictServer,
  name: string,
  way: ChildOptions['way'],
): Promise<void> {
  const tokens = server.begin(name);
  if (way !== 'one-refresh') {
    const redis = new Redis(store.port, '127.0.0.1');
    await savePair(redis, name, tokens);
    await redis.quit();
    return;
  }
  const { shared, end } = openShared(store);
  const refresh = refreshTokenGrant({ tokenEndpoint: server.url, clientId: 'processes' });
  const sessions = createSessions({ shared, refresh });
  await sessions.open(name).setSession(tokens);
  await sessions.close();
  await end();
}

async function playFault(store: Store, fault: Exclude<Fault, 'none'>): Promise<Figures> {
  const server = await startStrictServer();
  const options: ChildOptions = { ...store, way: 'one-refresh', url: server.url, refreshTimeoutMs: deadline };
  const children = await startChildren(Math.min(processes, 4), options);
  const figures = {
    store: store.kind,
    fault,
    rounds: 0,
    overslept: 0,
    requests: 0,
    answered: 0,
    spentTwice: 0,
    violations: 0,
    lost: {} as Record<string, number>,
    withoutToken: {} as Record<string, number>,
    slowestMs: 0,
  };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  for (let batch = 0; batch * BATCH < rounds; batch++) {
    const victim = children[batch % children.length]!;
    const others = children.filter((child) => child !== victim);
    const names = Array.from({ length: BATCH }, (_, n) => `${fault}-${batch}-${n}`);
    const momentOf = (n: number): Moment => (n % 2 === 0 ? 'before' : 'after');
    for (const name of names) await signIn(store, server, name, 'one-refresh');
    const gates = names.map((name, n) => server.hold(name, momentOf(n)));
    const own = names.map((name) => victim.ask(name));
    await Promise.all(gates.map(({ arrived }) => arrived));
    const calls = others.flatMap((child) =>
      names.map(async (name) => ({ name, ...(await child.ask(name)) })),
    );
    await pause(100);

    if (fault === 'sigkill') {
      victim.end();
      await new Promise((resolve) => victim.process.once('exit', resolve));
      await pause(50);
      gates.forEach((gate) => gate.release());
      children[children.indexOf(victim)] = (await startChildren(1, options))[0]!;
    } else if (fault === 'sigstop') {
      victim.process.kill('SIGSTOP');
      gates.forEach((gate) => gate.release());
      // Past the lease, before anybody stops waiting for an answer.
      await pause(1.5 * deadline);
      victim.process.kill('SIGCONT');
    } else {
      await (fault === 'restart' ? store.restart! : store.cut!)();
      gates.forEach((gate) => gate.release());
    }

    const answers = await Promise.all(calls);
    const owners = await Promise.all(own);
    const again = others[0]!;
    for (const [n, name] of names.entries()) {
      const log = server.log(name);
      figures.rounds++;
      figures.requests += log.requests;
      figures.answered += log.answered;
      const twice = [...log.spent.values()].some((times) => times > 1);
      if (twice) figures.spentTwice++;
      // The only one that is forced: the answer was on its way to a process that has died.
      const forced = fault === 'sigkill' && momentOf(n) === 'after';
      const mine = answers.filter((answer) => answer.name === name);
      for (const { ms } of mine) figures.slowestMs = Math.max(figures.slowestMs, Math.round(ms));
      for (const { code } of mine) if (code !== undefined) add(figures.withoutToken, code);
      const last = await again.ask(name);
      const lost = last.code;
      if (lost !== undefined) add(figures.lost, `${momentOf(n)}: ${lost}`);
      if (fault === 'sigstop' && owners[n]!.ms > silenceMs({ refreshTimeoutMs: deadline })) {
        figures.overslept++;
        continue;
      }
      // On Linux a process that has died is noticed; nobody waits T + R for it.
      const isNoticed = mine.every(({ ms }) => ms < silenceMs({ refreshTimeoutMs: deadline }));
      if (fault === 'sigkill' && !forced && !isNoticed && process.platform === 'linux') {
        figures.violations++;
        console.log(`${fault} ${store.kind} ${name}: the others took the dead process for a living one`);
      }
      const expected = forced ? 'ERR_REAUTH_REQUIRED response_lost' : undefined;
      if ((twice && !forced) || lost !== expected) {
        figures.violations++;
        console.log(
          `${fault} ${store.kind} ${name} (${momentOf(n)}): spent twice: ${twice}, then: ${lost ?? 'a token'}`,
        );
      }
    }
  }
  children.forEach((child) => child.end());
  await server.close();
  return figures;
}

function add(to: Record<string, number>, key: string): void {
  to[key] = (to[key] ?? 0) + 1;
}

interface StoreFigures {
  readonly plain: Played[];
  readonly faults: Figures[];
}
let broken = 0;

async function playStore(kind: Kind): Promise<StoreFigures> {
  const store = await startStore(kind);
  const played: StoreFigures = { plain: [], faults: [] };
  try {
    if (chosenFaults.includes('none')) {
      const figures = await playExpiries(store, 'one-refresh', expiries, 20);
      played.plain.push(figures);
      console.log(JSON.stringify(figures));
      // A process that asks so late that the new token is nearly over refreshes it, as it should: one more expiry.
      //
      //     9 processes  expiry ─ one refreshes ─ 9 have the token
      //     the last     asks ── first connection, 3 s ────────────── looks: nearly over ─ refreshes
      const { requests, answered, early } = figures;
      if (requests < expiries || requests !== answered || early > 0) broken++;
    }
    for (const fault of chosenFaults) {
      if (fault === 'none' || (kind === 'folder' && (fault === 'restart' || fault === 'cut'))) continue;
      const figures = await playFault(store, fault);
      played.faults.push(figures);
      console.log(JSON.stringify(figures));
      broken += figures.violations;
      if (figures.overslept > rounds / 2) {
        broken++;
        console.log(
          'The machine is too busy: most stopped processes overslept, so the fault was hardly judged',
        );
      }
    }
    return played;
  } finally {
    await store.remove();
  }
}

/** One after the other: their times are compared. */
async function playRivals(): Promise<Played[]> {
  const store = await startStore('redis');
  const played: Played[] = [];
  try {
    for (const way of [...rivals, 'one-refresh'] satisfies (Rival | 'one-refresh')[]) {
      for (const [count, delayMs] of [
        [expiries, 20],
        [3, 6_000],
      ] as const) {
        const figures = await playExpiries(store, way, count, delayMs);
        played.push(figures);
        console.log(JSON.stringify(figures));
      }
    }
    return played;
  } finally {
    await store.remove();
  }
}

// Side by side: mostly the processes wait.
const all = await Promise.all(chosenKinds.map(playStore));
const rivalFigures = values.rivals ? await playRivals() : [];
writeJson(values.json, {
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  node: process.version,
  settings: { processes, expiries, rounds, deadline },
  plain: all.flatMap(({ plain }) => plain),
  faults: all.flatMap(({ faults }) => faults),
  rivals: rivalFigures,
});
console.log(broken > 0 ? `${broken} violations` : 'no violation');
process.exitCode = broken > 0 ? 1 : 0;
