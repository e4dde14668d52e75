// The refresh worker: whatever happens to the tab that asked, the answer is stored. Its configuration stands in its address, since a worker
// that has just been started cannot wait for any.
import { serveRefresh } from 'one-refresh/worker';
import { tokenOptions } from './token-options.js';

const query = new URLSearchParams(location.search);
const config = { issuer: query.get('issuer') ?? '', clientId: query.get('clientId') ?? '' };

serveRefresh(tokenOptions(config, 'worker'));
