import { randomBytes } from 'node:crypto';
import { access, link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Stored } from './shared.js';

/** So many versions of a value stay, for processes that have just read one. */
const KEPT = 32;
/** A file that a writer has not linked after so long is a leftover: its process died, or stands still and will fail; milliseconds. */
const LEFTOVER_MS = 60_000;
/** The answers of file systems without hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
/** A reader starts again when its version was removed meanwhile; so often, then something is wrong. */
const MOST_READS = 20;

/** One value in a folder of its own, changed by compare-and-set. */
export interface Cell {
  readonly read: () => Promise<Stored | undefined>;
  /** Resolves to the new mark, or to `undefined` if another process wrote before. */
  readonly write: (mark: string | undefined, text: string) => Promise<string | undefined>;
}

/**
 * The files of the folder are the versions of the value: `0` stands for "no value", the highest number is the present one. A writer
 * makes a file and links it under the next number, which fails if that number exists. So a process that stood still between its read and
 * its write cannot overwrite anything, and no lock has to be broken when it dies.
 *
 *     A  reads 7 ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░ links 8: exists, another process wrote
 *     B                reads 7 ─ links 8 ✓
 *
 * Old versions are removed in ascending order. So if the version that a writer has read still exists after its link, then the number that
 * it linked had never been used; else it does not know, and says so.
 *
 *     A  reads 7 ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░ links 8 ✓, but 7 is no longer there: not known
 *     B                links 8 … 48, removes 7 … 16
 */
export function cell(directory: string, durable: boolean): Cell {
  const fileOf = (version: number): string => path.join(directory, String(version));

  async function read(): Promise<Stored | undefined> {
    for (let tries = 0; tries < MOST_READS; tries++) {
      const names = await unlessMissing(readdir(directory));
      const newest = names && versionsIn(names).at(-1);
      if (!newest) return undefined;
      const text = await unlessMissing(readFile(fileOf(newest), 'utf8'));
      if (text !== undefined) return { mark: String(newest), text };
    }
    throw new Error('The record changes all the time');
  }

  /** With its `0` in it from the first moment: nobody can make an empty one later. */
  async function create(): Promise<void> {
    if (await exists(fileOf(0))) return;
    const parent = path.dirname(directory);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const temporary = path.join(parent, temporaryName());
    await mkdir(temporary, { mode: 0o700 });
    await (await open(path.join(temporary, '0'), 'wx', 0o600)).close();
    try {
      await rename(temporary, directory);
    } catch (error) {
      await rm(temporary, { recursive: true });
      // Another process made it first.
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
    }
  }

  async function write(mark: string | undefined, text: string): Promise<string | undefined> {
    const base = Number(mark ?? 0);
    const next = base + 1;
    if (base === 0) await create();
    const temporary = path.join(directory, temporaryName());
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      if (durable) await file.sync();
      await link(temporary, fileOf(next)).catch((error: NodeJS.ErrnoException) => {
        if (!NO_LINKS.includes(error.code ?? '')) throw error;
        throw new Error(`The folder is on a file system without hard links (${error.code})`);
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw error;
    } finally {
      await file.close();
      await unlessMissing(unlink(temporary));
    }
    if (!(await exists(fileOf(base)))) throw new Error('This process stood still while it wrote');
    if (durable) await syncDirectory(directory);
    const names = await readdir(directory);
    for (const old of versionsIn(names)) if (old <= next - KEPT) await unlessMissing(unlink(fileOf(old)));
    await removeLeftovers(names);
    return String(next);
  }

  /** A process that died while it wrote leaves a file with tokens in it. */
  async function removeLeftovers(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (!name.startsWith('.')) continue;
      const file = path.join(directory, name);
      const info = await unlessMissing(stat(file));
      // (Also one from the future: a clock was set back.)
      if (info && Math.abs(Date.now() - info.mtimeMs) > LEFTOVER_MS) await unlessMissing(unlink(file));
    }
  }

  return { read, write };
}

/** In ascending order. */
function versionsIn(names: readonly string[]): number[] {
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function temporaryName(): string {
  return `.${randomBytes(9).toString('base64url')}`;
}

async function exists(file: string): Promise<boolean> {
  return (await unlessMissing(access(file).then(() => true))) ?? false;
}

/** `undefined` if the file or folder is not there; every other failure stays one. */
async function unlessMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** So that the new name survives a power cut. Windows refuses to open a folder, and needs no such thing. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
