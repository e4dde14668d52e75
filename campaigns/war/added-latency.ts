// The cost of the remedies at the token endpoint: the same refreshes one after another, without a network, with and without them.
import { startDemoServer } from '../../demo/server/server.js';

export interface AddedLatency {
  /** Medians, milliseconds per refresh. */
  without: number;
  sessionTable: number;
  versionCheck: number;
  both: number;
}

const REFRESHES = 60;

export async function measureAddedLatency(): Promise<AddedLatency> {
  const server = await startDemoServer({
    pages: async () => ({ handle: (_req, res) => void res.writeHead(404).end(), close: async () => {} }),
  });
  const { settings } = server;
  let { refresh_token } = await server.signIn('alice');
  let version = 1;
  const samples: Record<keyof AddedLatency, number[]> = {
    without: [],
    sessionTable: [],
    versionCheck: [],
    both: [],
  };
  try {
    // In turn, so that a busy moment of this machine falls on all of them alike.
    for (let n = 0; n < REFRESHES * 4 + 40; n++) {
      const kind = (['without', 'sessionTable', 'versionCheck', 'both'] as const)[n % 4]!;
      settings.sessionTableMs = kind === 'sessionTable' || kind === 'both' ? 10_000 : 0;
      settings.versionCheck = kind === 'versionCheck' || kind === 'both';
      const startedAt = performance.now();
      const response = await fetch(`${server.config.issuer}/token`, {
        method: 'POST',
        headers: { 'idempotency-key': String(n) },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: server.config.clientId,
          refresh_token,
          token_version: String(version++),
        }),
      });
      const body = (await response.json()) as { refresh_token?: string };
      // The first ones open the database and warm up.
      if (n >= 40) samples[kind].push(performance.now() - startedAt);
      if (body.refresh_token === undefined) throw new Error(`A refresh was answered ${response.status}`);
      refresh_token = body.refresh_token;
    }
  } finally {
    await server.close();
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const without = median(samples.without);
  return {
    without,
    sessionTable: median(samples.sessionTable) - without,
    versionCheck: median(samples.versionCheck) - without,
    both: median(samples.both) - without,
  };
}
