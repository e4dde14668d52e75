// Starting a server as a process of its own, and ending it.
import { spawn, type ChildProcess } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSettings, Place } from './real-server.js';

export interface StartOptions extends Place {
  /** Where it has to listen. Requests come through `origin`, which is in front of it. */
  readonly port: number;
  /** An empty folder of its own. */
  readonly folder: string;
}

export interface RunningServer {
  readonly client: ClientSettings;
  readonly stop: () => Promise<void>;
}

/** How long a server may take to start. */
const START_MS = 120_000;
/** How much of its output is kept for the message if it fails, in characters. */
const TAIL = 4_000;

export interface ServerProcess {
  /** The first message that it sent; `undefined` for programs that send none. */
  readonly message: unknown;
  readonly stop: () => Promise<void>;
}

export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  /** Its working folder. */
  readonly folder: string;
  readonly env?: Record<string, string>;
  /** On which it listens. */
  readonly port: number;
  /** It tells its parent something before it listens. */
  readonly tells?: boolean;
}

/** Resolves when the program accepts connections. */
export async function startProgram(program: Program): Promise<ServerProcess> {
  const { file, args, folder, env, port, tells = false } = program;
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(tells ? (['ipc'] as const) : [])],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-TAIL)));
  }
  const told = { message: undefined as unknown, enough: !tells };
  child.once('message', (message) => Object.assign(told, { message, enough: true }));
  let failure: string | undefined;
  child.once('error', ({ message: text }) => (failure = text));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? code}`));
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs);
    await end(child);
  };

  const until = performance.now() + START_MS;
  while (!told.enough || !(await accepts(port))) {
    if (performance.now() > until) failure ??= 'it accepts no connections';
    if (failure !== undefined) {
      await stop();
      throw new Error(`${file} did not start: ${failure}\n${output}`);
    }
    await sleep(50);
  }
  return { message: told.message, stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill();
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(late);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (accepted: boolean) => () => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', answer(true)).once('error', answer(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
