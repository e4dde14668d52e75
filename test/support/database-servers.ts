/**
 * A Redis and a PostgreSQL of a test's own: real servers on a random port of loopback, in a folder that goes with them. A server that is
 * not installed is installed, as root on Debian; else the command to run is said.
 */
import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** How long a server may take to start; milliseconds. */
const START_MS = 60_000;

export interface DatabaseServer {
  readonly port: number;
  /** `kill`: with SIGKILL, so that it writes nothing more. Its data stay. */
  readonly stop: (how?: 'kill') => Promise<void>;
  /** Starts it again on the same port, with what it had. */
  readonly restart: () => Promise<void>;
  /** Stops it, and removes its folder. */
  readonly remove: () => Promise<void>;
}

/**
 * @param fsync - `'always'`: everything is on disk before it is answered, so that a restart loses nothing that a client was told; `'everysec'`:
 * the default of Redis; `'never'`: nothing is written but by `SAVE`, so that a kill loses what came after the last one
 */
export async function startRedis(fsync: 'always' | 'everysec' | 'never' = 'always'): Promise<DatabaseServer> {
  const file = ensure('redis-server', 'REDIS_SERVER', () => onPath('redis-server'));
  const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-redis-'));
  const port = await freePort();
  const writes = fsync === 'never' ? ['no'] : ['yes', '--appendfsync', fsync];
  const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', ...writes];
  const start = (): ChildProcess => spawn(file, ['--port', String(port), '--dir', folder, ...options], quiet);
  return run(port, folder, start, () => accepts(port));
}

/** Database and user `postgres`, no password. It does not wait for the disk, as a kill loses nothing that the system was given. */
export async function startPostgres(): Promise<DatabaseServer> {
  const bin = path.dirname(ensure('postgresql', 'POSTGRES_SERVER', findPostgres));
  const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-postgres-'));
  const port = await freePort();
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = path.join(folder, 'data');
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
  });
  const options = ['-p', String(port), '-k', folder, '-h', '127.0.0.1', '-F', '-c', 'max_connections=200'];
  const start = (): ChildProcess =>
    spawn(path.join(bin, 'postgres'), ['-D', data, ...options], { ...quiet, ...user, cwd: folder });
  // It accepts connections before it serves them.
  const asked = ['-h', '127.0.0.1', '-p', String(port)];
  return run(port, folder, start, () => succeeds(path.join(bin, 'pg_isready'), asked));
}

const quiet = { stdio: 'ignore' } as const;

async function run(
  port: number,
  folder: string,
  start: () => ChildProcess,
  isReady: () => Promise<boolean>,
): Promise<DatabaseServer> {
  let child: ChildProcess | undefined;

  async function restart(): Promise<void> {
    const until = performance.now() + START_MS;
    child = start();
    while (!(await isReady())) {
      if (performance.now() > until) throw new Error('The server did not start');
      // A killed PostgreSQL leaves processes that hold its memory for a moment, and refuses to start beside them.
      if (child.exitCode !== null) child = start();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function stop(how?: 'kill'): Promise<void> {
    const mine = child;
    if (!mine || mine.exitCode !== null || mine.signalCode !== null) return;
    const ended = new Promise((resolve) => mine.once('exit', resolve));
    // PostgreSQL's fast shutdown; Redis takes it for the same as SIGTERM.
    mine.kill(how === 'kill' ? 'SIGKILL' : 'SIGINT');
    await ended;
  }

  await restart();
  return {
    port,
    stop,
    restart,
    async remove() {
      await stop('kill');
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

function succeeds(file: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => execFile(file, args, (error) => resolve(error === null)));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Free a moment ago; a test that is unlucky fails to start its server. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function ensure(name: string, variable: string, find: () => string | undefined): string {
  const given = process.env[variable];
  if (given) return given;
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', name];
  if (!find() && process.getuid?.() === 0) {
    for (const [file = '', ...args] of [['apt-get', 'update'], install]) {
      spawnSync(file, args, {
        timeout: 600_000,
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    }
  }
  const found = find();
  if (found) return found;
  throw new Error(
    `${name} is not installed. Run: sudo ${install.join(' ')}. Or set ${variable} to its program.`,
  );
}

function onPath(file: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(path.delimiter);
  return directories.map((directory) => path.join(directory, file)).find((full) => existsSync(full));
}

/** Debian keeps it apart, by version. */
function findPostgres(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const files = versions.map((version) => path.join(root, version, 'bin/postgres'));
  return files.find((file) => existsSync(file)) ?? onPath('postgres');
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
}
