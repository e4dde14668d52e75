import type * as Files from 'node:fs/promises';
import { link, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cell } from './cell.js';

vi.mock('node:fs/promises', async (original) => {
  const all = await original<typeof Files>();
  return { ...all, link: vi.fn<typeof all.link>(all.link) };
});

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-test-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

test('files of dead writers are removed, of living ones kept', async () => {
  const directory = path.join(folder, 'record');
  const { write } = cell(directory, true);
  const first = await write(undefined, 'first');
  const [dead, living] = ['.dead', '.living'].map((name) => path.join(directory, name)) as [string, string];
  await writeFile(dead, 'a token');
  await writeFile(living, 'a token');
  const before = Date.now() / 1_000 - 120;
  await utimes(dead, before, before);
  await write(first, 'second');
  expect((await readdir(directory)).sort()).toEqual(['.living', '0', '1', '2']);
});

test.each(['EPERM', 'ENOTSUP'])('says that the file system has no links (%s)', async (code) => {
  vi.mocked(link).mockRejectedValueOnce(Object.assign(new Error(code), { code }));
  const directory = path.join(folder, 'record');
  await expect(cell(directory, true).write(undefined, 'text')).rejects.toThrow('without hard links');
  expect(await readdir(directory)).toEqual(['0']);
});

test('a full disk changes nothing, and leaves nothing', async () => {
  const directory = path.join(folder, 'record');
  const { read, write } = cell(directory, true);
  const mark = await write(undefined, 'first');
  vi.mocked(link).mockRejectedValueOnce(Object.assign(new Error('full'), { code: 'ENOSPC' }));
  await expect(write(mark, 'second')).rejects.toThrow('full');
  expect(await read()).toEqual({ mark, text: 'first' });
  expect((await readdir(directory)).sort()).toEqual(['0', '1']);
});
