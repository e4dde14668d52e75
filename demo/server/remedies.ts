// `one-refresh/server` in front of the demo's token endpoint, on one database file, which exists as long as the server does.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createIdempotentRotation,
  createVersionCheck,
  sqliteStore,
  type ServerStore,
  type TokenMiddleware,
} from 'one-refresh/server';
import type { TokenAnswer, TokenEndpointMiddleware, TokenRequest } from './token-endpoint.js';

export interface RemedySettings {
  /** How long the session table gives an answer again, milliseconds; 0 switches it off. */
  sessionTableMs: number;
  versionCheck: boolean;
}

export interface Remedies {
  /** The session table is the outer one: it gives a lost answer again, which a version check alone would refuse for ever. */
  readonly middlewares: readonly TokenEndpointMiddleware[];
  close(): Promise<void>;
}

/** `settings` are read at every request; nothing is opened before one of them is on. */
export function createRemedies(settings: RemedySettings): Remedies {
  let opened: { store: ServerStore; folder: string; versionCheck: TokenMiddleware } | undefined;
  const tables = new Map<number, TokenMiddleware>();

  function open() {
    if (opened) return opened;
    const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-demo-'));
    const store = sqliteStore(path.join(folder, 'sessions.db'));
    return (opened = { store, folder, versionCheck: createVersionCheck({ store }) });
  }

  function sessionTable(windowMs: number): TokenMiddleware {
    const table = tables.get(windowMs) ?? createIdempotentRotation({ store: open().store, windowMs });
    tables.set(windowMs, table);
    return table;
  }

  return {
    middlewares: [
      (next) => (request) => {
        const { sessionTableMs } = settings;
        return sessionTableMs > 0 ? through(sessionTable(sessionTableMs), request, next) : next(request);
      },
      (next) => (request) =>
        settings.versionCheck ? through(open().versionCheck, request, next) : next(request),
    ],
    async close() {
      await opened?.store.close();
      if (opened) rmSync(opened.folder, { recursive: true });
    },
  };
}

/** The demo's own kind of request and answer, to the Fetch API's and back. */
async function through(
  middleware: TokenMiddleware,
  request: TokenRequest,
  next: (request: TokenRequest) => Promise<TokenAnswer>,
): Promise<TokenAnswer> {
  // The tabs' words for the log (`x_tab`) is no part of the question.
  const form = new URLSearchParams([...request.form].filter(([name]) => !name.startsWith('x_')));
  const headers = new Headers();
  for (const name of ['authorization', 'dpop', 'idempotency-key']) {
    const value = request.headers[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  const handler = middleware(async (forwarded) => {
    const answer = await next({ ...request, form: new URLSearchParams(await forwarded.text()) });
    if ('broken' in answer) throw new Error('A fault belongs outside the remedies');
    return new Response(answer.body, answer);
  });
  const answer = await handler(new Request('http://demo/token', { method: 'POST', headers, body: form }));
  if (answer.headers.has('idempotent-replayed')) request.trace.replayed = true;
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
}
