/** One process of many: asks for tokens when its parent says so. */
import { createSessions, refreshTokenGrant } from '../../src/node/index.js';
import { createRival, type Rival } from './rivals.js';
import { openRedis, openShared, type Place } from './stores.js';

/** The arguments of a child. */
export interface ChildOptions extends Place {
  readonly way: 'one-refresh' | Rival;
  readonly url: string;
  readonly refreshTimeoutMs: number;
}

export interface Asked {
  readonly id: number;
  readonly session: string;
}

export interface Answered {
  readonly id: number;
  readonly token?: string;
  readonly code?: string;
  readonly ms: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;
const getToken = open();
process.on('message', ({ id, session }: Asked) => {
  const start = performance.now();
  getToken(session)
    .then(
      (token) => ({ token }),
      (error: { code?: string; reason?: string; message: string }) => ({
        code: [error.code ?? error.message, error.reason].filter(Boolean).join(' '),
      }),
    )
    .then((result) => process.send!({ id, ...result, ms: performance.now() - start } satisfies Answered))
    .catch(() => {});
});
process.on('disconnect', () => process.exit());
process.send!('ready');

function open(): (session: string) => Promise<string> {
  const { way, url, refreshTimeoutMs, port } = options;
  if (way !== 'one-refresh') return createRival(openRedis(port), url, way);
  const { shared } = openShared(options);
  const refresh = refreshTokenGrant({ tokenEndpoint: url, clientId: 'processes' });
  const sessions = createSessions({ shared, refresh, refreshTimeoutMs });
  return (session) => sessions.open(session).getAccessToken({ timeoutMs: 4 * refreshTimeoutMs });
}
