import { note } from './prelude.js';
import { dpopSupport } from 'one-refresh/oauth';
import { serveRefresh } from 'one-refresh/worker';
import { commonOptions, createClient } from './client.js';

const query = new URLSearchParams(location.search);
serveRefresh({
  ...commonOptions(query),
  refresh: createClient(query, query.has('dpop') && dpopSupport),
});
note('worker-started');
addEventListener('message', ({ data }) => {
  const { from, version } = Object((data as { message?: unknown } | undefined)?.message) as Record<
    string,
    unknown
  >;
  note('asked', { from, version });
});
