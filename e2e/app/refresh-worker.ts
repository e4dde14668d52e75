// The refresh worker of the test page. All that it must know when it starts, before it could ask anybody, stands in its address.
import { dpopSupport } from 'one-refresh/oauth';
import { serveRefresh } from 'one-refresh/worker';
import { createClient } from './client.js';

const query = new URLSearchParams(location.search);
const given = (key: string): string => query.get(key) ?? '';

serveRefresh({
  name: given('name'),
  refreshTimeoutMs: Number(query.get('refreshTimeoutMs') ?? 30_000),
  refresh: createClient({
    tab: 'worker',
    name: given('name'),
    issuer: given('issuer'),
    clientId: given('clientId'),
    by: 'grant',
    // A service worker may not load code later.
    dpop: query.has('dpop') && dpopSupport,
    role: () => 'worker',
  }),
});
