import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';

let server: LoopbackServer;
let folder: string;
beforeAll(async () => {
  server = await startLoopbackServer();
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-tool-'));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Runs the tool in a process of its own. It has to end by itself. */
function tool(command: string, input = ''): Promise<{ code: number; out: string; err: string }> {
  const file = path.join(import.meta.dirname, 'command-line-tool.ts');
  const env = { ...process.env, TOOL_FOLDER: folder, TOOL_TOKEN_ENDPOINT: `${server.origin}/token` };
  return new Promise((resolve) => {
    const args = ['--import', 'tsx', file, command];
    const child = execFile(process.execPath, args, { env, timeout: 50_000 }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out: out.trim(), err: err.trim() }),
    );
    child.stdin!.end(input);
  });
}

test('ten processes that start at once refresh once', async () => {
  server.answer(json(200, { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 }));
  const tokens = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 0 };
  expect(await tool('sign-in', JSON.stringify(tokens))).toEqual({ code: 0, out: '', err: '' });
  const results = await Promise.all(Array.from({ length: 10 }, () => tool('token')));
  expect(results).toEqual(results.map(() => ({ code: 0, out: 'access-2', err: '' })));
  expect(server.received).toHaveLength(1);
});

test('after a sign-out it asks to sign in', async () => {
  expect((await tool('sign-out')).code).toBe(0);
  expect(await tool('token')).toEqual({ code: 2, out: '', err: 'Please sign in: tool sign-in' });
});
