// An application in one tab: it needs tokens, tries again where that helps, and remembers what it was told.
import { by, note } from './prelude.js';
import { decodeJwt } from 'jose';
import { createTokenCoordinator, TokenCoordinatorError, type Snapshot } from 'one-refresh';
import { fetchBoundTokens, fetchTokens } from '../../../e2e/app/sign-in.js';
import { readRecord } from '../../../e2e/app/record.js';
import { commonOptions, createClient } from './client.js';
// oxlint-disable-next-line import/default -- with `?worker&url` Vite gives the script's address
import refreshWorkerUrl from './refresh-worker.js?worker&url';

export interface Call {
  /** Whose token was asked for. */
  subject: string | undefined;
  limitMs: number;
  /** This page was frozen, cached or away meanwhile: its clock says nothing. */
  stoodStill: boolean;
  /** Absent while it has not settled. */
  ms?: number;
  /** When a timer of this page's own rang that was set to the same limit: late, where the page is throttled or the machine busy. */
  rangMs?: number;
  /** Whose token was given. */
  given?: string | undefined;
  code?: string;
}

export interface TabReport {
  tab: string;
  calls: Call[];
  /** From the first need of a token to having one, milliseconds; only of needs during which this page ran. */
  waits: number[];
  snapshot: Pick<Snapshot, 'status' | 'version' | 'sessionId' | 'subject' | 'storage' | 'role'>;
  /** How often this page stood still, and why. */
  stills: string[];
  stored: { version: number; sessionId: string; ended?: string; refreshToken?: string } | undefined;
}

const query = new URLSearchParams(location.search);
const dpop = query.has('dpop');
const worker = query.has('worker') ? new URL(refreshWorkerUrl, location.href) : undefined;
for (const [key, value] of query) if (key !== 'tab') worker?.searchParams.set(key, value);
worker?.searchParams.set('tab', 'worker');

const coordinator = createTokenCoordinator({
  ...commonOptions(query),
  leaderTimeoutMs: Number(query.get('leaderTimeoutMs')),
  // The campaign decides when.
  proactive: 'never',
  worker,
  refresh: createClient(query, dpop),
});
for (const type of ['reauth-required', 'takeover'] as const) {
  coordinator.on(type, ({ sessionId, version, reason }) => note(type, { sessionId, version, reason }));
}

let calls: Call[] = [];
let waits: number[] = [];
let stills: string[] = [];
const standsStill = (why: string): void => {
  stills.push(why);
  for (const call of calls) if (call.ms === undefined) call.stoodStill = true;
};
document.addEventListener('freeze', () => standsStill('freeze'));
document.addEventListener('resume', () => stills.push('resume'));
addEventListener('pageshow', ({ persisted }) => persisted && standsStill('cached'));
addEventListener('offline', () => stills.push('offline'));

async function callOnce(limitMs: number): Promise<Call> {
  const { subject } = coordinator.getSnapshot();
  const call: Call = { subject, limitMs, stoodStill: false };
  calls.push(call);
  const startedAt = performance.now();
  const timer = setTimeout(() => (call.rangMs = performance.now() - startedAt), limitMs);
  try {
    call.given = decodeJwt(await coordinator.getAccessToken({ timeoutMs: limitMs })).sub;
  } catch (error) {
    call.code = error instanceof TokenCoordinatorError ? error.code : String(error);
  }
  call.ms = performance.now() - startedAt;
  clearTimeout(timer);
  return call;
}

const { now: trueNow } = Date;

const chaos = {
  load: crypto.randomUUID() as string,
  coordinator,

  /** Forgets the round before. */
  begin(): void {
    calls = [];
    waits = [];
    stills = [];
  },

  /** A session whose access token is over in a moment. */
  async signIn(user: string, lifeSeconds: number): Promise<string | undefined> {
    const tokens = await (dpop ? fetchBoundTokens('chaos', user) : fetchTokens(user));
    await coordinator.setSession({ ...tokens, expires_in: lifeSeconds }, { subject: user });
    return coordinator.getSnapshot().sessionId;
  },

  signOut: () => coordinator.signOut(),

  /** Resolves when this tab knows that session and its first token has expired. */
  async expired(sessionId: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (coordinator.getSnapshot().sessionId !== sessionId) return;
        stop();
        resolve();
      };
      const stop = coordinator.subscribe(check);
      check();
    });
    const { expiresAt = 0 } = coordinator.getSnapshot();
    await sleep(expiresAt - Date.now() + 5);
  },

  /** Needs a token, and does not give up while there is hope. */
  async need(limitMs: number, hopeMs: number): Promise<string> {
    const startedAt = performance.now();
    let still = false;
    for (;;) {
      const call = await callOnce(limitMs);
      still ||= call.stoodStill;
      const ms = performance.now() - startedAt;
      if (call.code === undefined) {
        if (!still) waits.push(ms);
        return 'token';
      }
      if (['ERR_REAUTH_REQUIRED', 'ERR_SIGNED_OUT'].includes(call.code) || ms > hopeMs) return call.code;
      await sleep(100);
    }
  },

  /** By so much before the true time, from now on. */
  setClockAhead(ms: number): number {
    Date.now = () => trueNow() + ms;
    return Date.now() - trueNow();
  },

  async workerInstalled(): Promise<void> {
    for (;;) {
      const [registration] = await navigator.serviceWorker.getRegistrations();
      if (registration?.active?.state === 'activated') return;
      await sleep(20);
    }
  },

  async unregisterWorker(): Promise<number> {
    for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
    return (await navigator.serviceWorker.getRegistrations()).length;
  },

  /** Locks of the origin, held or waited for. */
  async locks(): Promise<string[]> {
    const { held = [], pending = [] } = await navigator.locks.query();
    return [...held, ...pending].map(({ name = '' }) => name);
  },

  async report(): Promise<TabReport> {
    const { status, version, sessionId, subject, storage, role } = coordinator.getSnapshot();
    const record = await readRecord('chaos').catch(() => undefined);
    return {
      tab: by,
      calls,
      waits,
      stills,
      snapshot: { status, version, sessionId, subject, storage, role },
      stored: record && {
        version: record.version,
        sessionId: record.sessionId,
        ...(record.ended && { ended: record.ended.kind }),
        ...(record.refreshToken !== undefined && { refreshToken: await hash(record.refreshToken) }),
      },
    };
  },
};

/** As the server's log names it. */
async function hash(token: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  return btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .slice(0, 16);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

declare global {
  interface Window {
    chaos: typeof chaos;
  }
}

await coordinator.ready;
window.chaos = chaos;
