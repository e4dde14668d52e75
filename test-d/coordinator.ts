// Code that users may write against `one-refresh`, and what they may not. Nothing here is run.
import {
  createTokenCoordinator,
  RefreshRejectedError,
  isTokenCoordinatorError,
  type TokenCoordinatorError,
  type CoordinatorEvent,
  type ErrorCode,
  type EventType,
  type RefreshFunction,
  type Snapshot,
  type TokenCoordinator,
  type TokenResponse,
} from 'one-refresh';
import { same } from './expect.js';

declare const refresh: RefreshFunction;
declare const coordinator: TokenCoordinator;
declare const maybe: number | undefined;

// Options: a function or a client; optional ones accept undefined.
createTokenCoordinator({ name: 'app', refresh });
createTokenCoordinator({ name: 'app', refresh: { refresh } });
createTokenCoordinator({ name: 'app', refresh, minValidityMs: maybe, proactive: undefined });
createTokenCoordinator({ name: 'app', refresh, worker: new URL('https://app.example/worker.js') });
// @ts-expect-error a name is needed
createTokenCoordinator({ refresh });
// @ts-expect-error a refresh function is needed
createTokenCoordinator({ name: 'app' });
// @ts-expect-error no such mode
createTokenCoordinator({ name: 'app', refresh, proactive: 'sometimes' });
// @ts-expect-error seconds would be a different name
createTokenCoordinator({ name: 'app', refresh, refreshTimeout: 30 });

// A refresh function gets what it needs and may leave it; a response keeps members of its own.
const own: RefreshFunction = async ({ refreshToken, attempt, signal }) => {
  same<typeof refreshToken, string | undefined>();
  same<typeof attempt, number>();
  same<typeof signal, AbortSignal>();
  if (!refreshToken) throw new RefreshRejectedError({ error: 'invalid_grant' });
  return { access_token: 'a', expires_in: 60, custom: { kept: true } };
};
createTokenCoordinator({ name: 'app', refresh: own });
// One that is an interface is a response as well.
interface ServerTokens {
  access_token: string;
  token_type: string;
  refresh_token?: string;
}
declare const served: ServerTokens;
createTokenCoordinator({ name: 'app', refresh: async () => served });
void coordinator.setSession(served);
// @ts-expect-error a token response has an access token
const incomplete: TokenResponse = { refresh_token: 'r' };
void incomplete;

// Methods can be destructured, and say what they give.
const { getAccessToken, getSnapshot, subscribe, on, signOut, close } = coordinator;
same<ReturnType<typeof getAccessToken>, Promise<string>>();
same<ReturnType<typeof getSnapshot>, Snapshot>();
same<ReturnType<typeof subscribe>, () => void>();
same<ReturnType<TokenCoordinator['peekAccessToken']>, string | undefined>();
void getAccessToken({ forceRefresh: true, minValidityMs: maybe, signal: new AbortController().signal });
void signOut({ revoke: false });
void close();

// Snapshots are for reading.
const snapshot = getSnapshot();
same<Snapshot['status'], 'loading' | 'signed-out' | 'signed-in' | 'reauth-required'>();
same<Snapshot['refreshStatus'], 'idle' | 'refreshing' | 'paused'>();
same<Snapshot['role'], 'leader' | 'follower' | 'none'>();
// @ts-expect-error read-only
snapshot.status = 'signed-in';
// @ts-expect-error never a token in it
void snapshot.accessToken;

// Events are known by name.
on('refresh-succeeded', (event) => same<typeof event, CoordinatorEvent<'refresh-succeeded'>>());
// @ts-expect-error no such event
on('refreshed', () => {});
same<CoordinatorEvent['type'], EventType>();

// Codes are literals, so a switch over them can be exhaustive.
function explain(error: TokenCoordinatorError): string {
  switch (error.code) {
    case 'ERR_SIGNED_OUT':
    case 'ERR_REAUTH_REQUIRED':
    case 'ERR_REFRESH_REJECTED':
    case 'ERR_REFRESH_UNAVAILABLE':
    case 'ERR_TIMEOUT':
    case 'ERR_ABORTED':
    case 'ERR_STORAGE':
    case 'ERR_UNSUPPORTED':
    case 'ERR_CLOSED':
    case 'ERR_CONFIGURATION':
      return error.message;
    default:
      same<typeof error.code, never>();
      return error.code;
  }
}
void explain;
same<TokenCoordinatorError['code'], ErrorCode>();

export function codeOf(reason: unknown): ErrorCode | undefined {
  return isTokenCoordinatorError(reason) ? reason.code : undefined;
}
