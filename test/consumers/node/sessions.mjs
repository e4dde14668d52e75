// Two "processes" share a session in a folder. Nothing is closed: the process has to end by itself.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createSessions, folderShared } from 'one-refresh/node';

const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-consumer-'));
const refresh = async () => ({ access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 });
const [one, other] = [1, 2].map(() => createSessions({ shared: folderShared(folder), refresh }).open('a'));
await one.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 0 });
console.log(...(await Promise.all([one.getAccessToken(), other.getAccessToken()])));
