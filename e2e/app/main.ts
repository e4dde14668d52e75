// The page that the tests drive: no framework, one coordinator, everything a test may want to know on `window.lab`.
import * as library from 'one-refresh';
import type { AccessTokenOptions, CoordinatorEvent, EventType, TokenCoordinatorOptions } from 'one-refresh';
import { createFetch } from 'one-refresh/fetch';
import { createMonitor } from 'one-refresh/monitor';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from 'one-refresh/oauth';
import { createApiCalls } from './api-calls.js';
import { createClient } from './client.js';
import { readRecord } from './record.js';
// oxlint-disable-next-line import/default -- with `?worker&url` Vite gives the script's address
import refreshWorkerUrl from './refresh-worker.js?worker&url';
import { describeError, describeToken, type Failure, type TokenFacts } from './facts.js';
import { fetchBoundTokens, fetchTokens } from './sign-in.js';
import type { Change } from '../harness/before-page.js';
import type { Question } from './web-worker.js';

const EVENT_TYPES: readonly EventType[] = [
  'session-started',
  'signed-out',
  'reauth-required',
  'session-ending',
  'leader-changed',
  'refresh-started',
  'refresh-succeeded',
  'refresh-failed',
  'conflict',
  'in-doubt',
  'takeover',
  'storage-changed',
];

const query = new URLSearchParams(location.search);
const tab = query.get('tab') ?? crypto.randomUUID();

const response = await fetch('/config.json');
const config = (await response.json()) as {
  issuer: string;
  clientId: string;
  furtherResources: string[];
};

const name = query.get('name') ?? 'e2e';
const dpop = query.has('dpop');
const options: TokenCoordinatorOptions = {
  name,
  ...optionsFromQuery(),
  idle: idleFromQuery(),
  worker: workerFromQuery(),
  refresh: createClient({
    tab,
    name,
    dpop,
    issuer: config.issuer,
    clientId: config.clientId,
    by: query.get('client') === 'function' ? 'function' : 'grant',
    role: () => coordinator.getSnapshot().role,
    storeHangs: query
      .get('before')
      ?.split(',')
      .includes('indexedDbHangs' satisfies Change),
  }),
};
const coordinator = library.createTokenCoordinator(options);

const events: LabEvent[] = [];
for (const type of EVENT_TYPES) {
  coordinator.on(type, (event) => {
    const { status, role, version } = coordinator.getSnapshot();
    const seen: LabEvent = { tab, ...event, snapshot: { status, role, version } };
    events.push(seen);
    // A tab that is about to die leaves word at the server.
    void fetch('/__lab/events', { method: 'POST', body: JSON.stringify(seen), keepalive: true }).catch(
      () => {},
    );
  });
}

/** Every state this tab was in, and whose token it would have shown. */
const history: LabState[] = [];
const remember = () => {
  const { status, role, version, subject, sessionId } = coordinator.getSnapshot();
  const shown = coordinator.peekAccessToken();
  const state: LabState = {
    status,
    role,
    version,
    subject,
    sessionId,
    shows: shown && describeToken(shown).subject,
  };
  if (JSON.stringify(state) !== JSON.stringify(history.at(-1))) history.push(state);
};
coordinator.subscribe(remember);
remember();

/** For each time that this page was shown again: whether it came out of the back/forward cache. */
const returns: boolean[] = [];
addEventListener('pageshow', ({ persisted }) => persisted && returns.push(persisted));

let webWorker: Worker | undefined;

const lab = {
  tab,
  returns,
  library,
  config,
  coordinator,
  events,
  history,
  createFetch,
  createMonitor,
  api: createApiCalls(coordinator),
  readRecord: () => readRecord(options.name),

  /** A coordinator of another configuration, as another app on this origin might have. */
  openAnother: (
    name: string,
    grant: RefreshTokenGrantOptions,
    more: Pick<TokenCoordinatorOptions, 'isSessionLost'> = {},
  ) =>
    library.createTokenCoordinator({
      name,
      proactive: 'never',
      refresh: refreshTokenGrant(grant),
      ...more,
    }),

  /** A token as the application gets it, told by its claims; or why there is none. */
  async get(request?: Parameters<typeof coordinator.getAccessToken>[0]): Promise<TokenFacts | Failure> {
    const startedAt = performance.now();
    try {
      return {
        ...describeToken(await coordinator.getAccessToken(request)),
        ms: performance.now() - startedAt,
      };
    } catch (error) {
      return { ...describeError(error), ms: performance.now() - startedAt };
    }
  },

  /** The same from a coordinator in a web worker of this page. */
  async getInWebWorker(request?: AccessTokenOptions): Promise<TokenFacts | Failure> {
    webWorker ??= new Worker(new URL('web-worker.ts', import.meta.url), { type: 'module' });
    const { port1, port2 } = new MessageChannel();
    const { issuer, clientId } = config;
    webWorker.postMessage({ name, issuer, clientId, request } satisfies Question, [port2]);
    return new Promise((resolve) => {
      port1.addEventListener('message', ({ data }) => resolve(data));
      port1.start();
    });
  },

  /** Waits until the token has expired by the clock, then asks for one, several times at once; the function waits for the answers. */
  async callAtExpiry(times: number): Promise<() => Promise<(TokenFacts | Failure)[]>> {
    const { expiresAt = 0 } = coordinator.getSnapshot();
    await new Promise((resolve) => setTimeout(resolve, expiresAt - Date.now()));
    const calls = Array.from({ length: times }, () => lab.get());
    return () => Promise.all(calls);
  },

  async getAtExpiry(times: number): Promise<(TokenFacts | Failure)[]> {
    const answers = await lab.callAtExpiry(times);
    return answers();
  },

  async signIn(user: string, options?: { ifSignedOut?: boolean; sessionExpiresAt?: number }): Promise<void> {
    const tokens = await (dpop ? fetchBoundTokens(name, user) : fetchTokens(user));
    await coordinator.setSession(tokens, { subject: user, ...options });
  },

  /** The code and the sentence of the error that these options cause. */
  tryOptions(change: Record<string, unknown>): { code?: string | undefined; message: string } | undefined {
    try {
      void library.createTokenCoordinator({ ...options, name: crypto.randomUUID(), ...change }).close();
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  },

  async callApi(): Promise<{ status: number; user?: string }> {
    const headers = await coordinator.getAuthorizationHeaders({
      url: new URL('/api/me', location.href).href,
    });
    const response = await fetch('/api/me', { headers });
    const body = (await response.json()) as { user?: string };
    return { status: response.status, ...(body.user === undefined ? {} : { user: body.user }) };
  },
};

/** Events that happen once in a tab, as the coordinator tells them, and in which tab. */
export interface LabEvent extends CoordinatorEvent {
  tab: string;
  /** The tab's snapshot while the event's listener ran. */
  snapshot: { status: string; role: string; version: number };
}

export interface LabState {
  status: string;
  role: string;
  version: number;
  subject: string | undefined;
  sessionId: string | undefined;
  /** The user named in the access token that this tab would hand out without a refresh. */
  shows: string | undefined;
}

/** Said by every page once, when it can be asked. */
export interface Greeting {
  tab: string;
  prerendering: boolean;
  /** Or by a tab that was ordered to. */
  said?: unknown;
}

export type Lab = typeof lab;

declare global {
  interface Window {
    lab: Lab;
  }
}

await coordinator.ready;
window.lab = lab;
const { prerendering = false } = document as { prerendering?: boolean };
// (A page may leave before it is answered.)
fetch('/__lab/greetings', { method: 'POST', body: JSON.stringify({ tab, prerendering }) }).catch(() => {});

/** `worker=` names what is served as the worker's script, or its scope; see the tests of the worker. */
function workerFromQuery(): TokenCoordinatorOptions['worker'] {
  const worker = query.get('worker');
  if (worker === null) return undefined;
  const url = new URL(worker === 'silent' ? '/silent-worker.js' : refreshWorkerUrl, location.href);
  const { issuer, clientId } = config;
  const parameters = { name, issuer, clientId, refreshTimeoutMs: query.get('refreshTimeoutMs') };
  for (const [key, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(key, value);
  if (dpop) url.searchParams.set('dpop', '');
  url.searchParams.set('worker', worker);
  return worker === 'of-the-app' ? { url, scope: '/' } : url;
}

/** `idle=TIMEOUT,WARNING`, in milliseconds. */
function idleFromQuery(): TokenCoordinatorOptions['idle'] {
  const [timeoutMs, warnBeforeMs] = query.get('idle')?.split(',').map(Number) ?? [];
  return timeoutMs === undefined ? undefined : { timeoutMs, warnBeforeMs };
}

function optionsFromQuery(): Partial<TokenCoordinatorOptions> {
  const picked: Record<string, string | number> = {};
  for (const [key, value] of query) {
    if (key.endsWith('Ms')) picked[key] = Number(value);
    if (['proactive', 'broadcast', 'storage'].includes(key)) picked[key] = value;
  }
  return picked;
}
