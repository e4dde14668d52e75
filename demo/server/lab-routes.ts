// Questions that a page may ask this server: how to sign in, what the token endpoint saw, and to misbehave a little.
import type http from 'node:http';
import type { FaultRule, Faults } from './faults.js';
import type { Logins } from './logins.js';
import type { DemoConfig, ServerSettings } from './settings.js';
import type { TokenEndpointLog } from './token-endpoint-log.js';

export interface LabRoutesOptions {
  config: DemoConfig;
  log: TokenEndpointLog;
  faults: Faults;
  settings: ServerSettings;
  /** The user of the lab page signs in by a button, as often as the token war demands it. */
  logins: Logins;
}

/** Answers, or returns undefined where the path is not one of its own. */
export function createLabRoutes({ config, log, faults, settings, logins }: LabRoutesOptions) {
  return (
    pathname: string,
    req: http.IncomingMessage,
    res: http.ServerResponse,
  ): Promise<void> | undefined => {
    switch (`${req.method} ${pathname}`) {
      case 'GET /config.json':
        return send(res, config);
      case 'GET /__lab/log':
        return send(res, { now: Date.now(), settings, logins: logins.count(), entries: log.entries });
      case 'DELETE /__lab/log':
        return fromThisPage(req, res, () => log.clear());
      case 'POST /__lab/settings':
        return fromThisPage(req, res, async () => changeSettings(settings, await readJson(req)));
      case 'POST /__lab/login':
        return login(req, res, logins);
      case 'POST /__lab/faults':
        return fromThisPage(req, res, async () => faults.add((await readJson(req)) as FaultRule));
      case 'DELETE /__lab/faults':
        return fromThisPage(req, res, () => faults.clear());
      default:
        return undefined;
    }
  };
}

function changeSettings(settings: ServerSettings, change: unknown): void {
  const { sessionTableMs, versionCheck, accessTokenTtl } = Object(change) as Partial<ServerSettings>;
  if (typeof sessionTableMs === 'number') settings.sessionTableMs = sessionTableMs;
  if (typeof versionCheck === 'boolean') settings.versionCheck = versionCheck;
  if (typeof accessTokenTtl === 'number') settings.accessTokenTtl = accessTokenTtl;
}

async function login(req: http.IncomingMessage, res: http.ServerResponse, logins: Logins): Promise<void> {
  if (req.headers.origin !== `http://${req.headers.host}`) {
    res.writeHead(403).end();
    return;
  }
  const { searchParams } = new URL(req.url ?? '/', 'http://lab');
  await send(res, await logins.after(Number(searchParams.get('lost'))));
}

/** Another site open in the same browser may send us requests too; it has no business in here. */
async function fromThisPage(
  req: http.IncomingMessage,
  res: http.ServerResponse,
  act: () => void | Promise<void>,
): Promise<void> {
  const { origin, host } = req.headers;
  if (origin !== `http://${host}`) {
    res.writeHead(403).end();
    return;
  }
  await act();
  res.writeHead(204).end();
}

async function send(res: http.ServerResponse, body: unknown): Promise<void> {
  // A sandboxed frame is another origin; nothing in here is a secret.
  const headers = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' };
  res.writeHead(200, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(body));
}

async function readJson(req: http.IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return JSON.parse(text);
}
