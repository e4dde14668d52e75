import type { JWTPayload } from 'jose';
import { readClaims } from '../claims.js';
import type { TokenCoordinatorError } from '../core/errors.js';
import type { Snapshot } from '../core/types.js';
import type { TokenCoordinator } from '../types.js';
import type { AccessTokenState } from './access-token-state.js';

/** The longest delay that `setTimeout` takes. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** A timer that came a little early, or a clock that was set back: look again after this. */
const LOOK_AGAIN_MS = 250;

/** The state that all components of one coordinator share: one subscription, one state, at most one timer. */
export interface TokenSource {
  /** The same object until something changes. */
  readonly getState: () => AccessTokenState;
  /** The state of a server's rendering, and of the first render of a hydration. */
  readonly getServerState: () => AccessTokenState;
  readonly subscribe: (listener: () => void) => () => void;
  /**
   * A component that shows the access token is mounted: it is asked for now if it is outdated, and the component hears of its expiry.
   * @returns how to say that it is no longer mounted
   */
  readonly holdToken: () => () => void;
  /** Whether `select` reads the access token. */
  readonly readsToken: (select: () => unknown) => boolean;
}

const sources = new WeakMap<TokenCoordinator, TokenSource>();

export function tokenSource(coordinator: TokenCoordinator): TokenSource {
  let source = sources.get(coordinator);
  if (!source) sources.set(coordinator, (source = createTokenSource(coordinator)));
  return source;
}

function createTokenSource(coordinator: TokenCoordinator): TokenSource {
  const actions: Pick<AccessTokenState, 'getAccessToken' | 'signOut'> = {
    getAccessToken: (options) => coordinator.getAccessToken(options),
    signOut: (options) => coordinator.signOut(options),
  };
  const serverState: AccessTokenState = Object.freeze({
    status: 'loading',
    refreshStatus: 'idle',
    role: 'none',
    accessToken: undefined,
    expiresAt: undefined,
    sessionId: undefined,
    subject: undefined,
    sessionExpiresAt: undefined,
    claims: undefined,
    error: undefined,
    ...actions,
  });
  const listeners = new Set<() => void>();
  let leave: (() => void) | undefined;
  let tokenUsers = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let askError: TokenCoordinatorError | undefined;
  let tokenRead = false;
  let current: { inputs: readonly unknown[]; state: AccessTokenState } | undefined;
  let decoded: { idToken: string | undefined; claims: JWTPayload | undefined } | undefined;

  const claimsOf = (idToken: string | undefined): JWTPayload | undefined => {
    // Kept for as long as the ID token: a refresh that brings no new one changes nothing for those who select claims.
    if (!decoded || decoded.idToken !== idToken) decoded = { idToken, claims: decode(idToken) };
    return decoded.claims;
  };

  const createState = (
    { status, refreshStatus, role, expiresAt, sessionId, subject, sessionExpiresAt, error }: Snapshot,
    token: string | undefined,
    idToken: string | undefined,
  ): AccessTokenState => {
    const shown = {
      status,
      refreshStatus,
      role,
      expiresAt,
      sessionId,
      subject,
      sessionExpiresAt,
      error: error ?? (status === 'signed-in' ? askError : undefined),
    };
    const state = {
      ...shown,
      ...actions,
      get accessToken() {
        tokenRead = true;
        return token;
      },
      get claims() {
        return claimsOf(idToken);
      },
    };
    // Logs and error reports are made with JSON: no token in them.
    const toJSON = (): object => ({ ...shown, claims: claimsOf(idToken) });
    return Object.freeze(Object.defineProperty(state, 'toJSON', { value: toJSON }));
  };

  const getState = (): AccessTokenState => {
    const snapshot = coordinator.getSnapshot();
    const token = coordinator.peekAccessToken();
    const idToken = coordinator.peekIdToken();
    const inputs = [snapshot, token, idToken, askError];
    if (!current || inputs.some((input, i) => input !== current?.inputs[i])) {
      current = { inputs, state: createState(snapshot, token, idToken) };
    }
    return current.state;
  };

  const notify = (): void => {
    // Of a copy: one may leave and come back meanwhile.
    for (const listener of Array.from(listeners)) listener();
  };

  /** The one timer: a token that expires is a change of state that the coordinator has no reason to announce. */
  const watchExpiry = (atLeastMs = 0): void => {
    clearTimeout(timer);
    const { expiresAt } = coordinator.getSnapshot();
    if (tokenUsers === 0 || expiresAt === undefined || coordinator.peekAccessToken() === undefined) return;
    const delay = Math.max(expiresAt - Date.now() + 1, atLeastMs);
    timer = setTimeout(
      () => {
        if (coordinator.peekAccessToken() === undefined) notify();
        else watchExpiry(LOOK_AGAIN_MS);
      },
      Math.min(delay, LONGEST_TIMEOUT_MS),
    );
  };

  const signedInAs = (): string | undefined => {
    const { status, sessionId } = coordinator.getSnapshot();
    return status === 'signed-in' ? sessionId : undefined;
  };

  const askIfOutdated = (): void => {
    if (asking || tokenUsers === 0 || coordinator.getSnapshot().status !== 'signed-in') return;
    if (coordinator.peekAccessToken() !== undefined) return;
    asking = true;
    const session = signedInAs();
    void coordinator
      .getAccessToken()
      .then(
        () => undefined,
        (error: unknown) => error as TokenCoordinatorError,
      )
      .then((error) => {
        asking = false;
        const isOver = session !== signedInAs();
        askError = isOver ? undefined : error;
        // Somebody else may have signed in.
        if (isOver) askIfOutdated();
        notify();
      });
  };

  let seenSession: string | undefined;
  const onChange = (): void => {
    if (coordinator.peekAccessToken() !== undefined) askError = undefined;
    watchExpiry();
    // The store has been read, or somebody signed in: a token is seen for the first time, as on mounting.
    if (seenSession !== (seenSession = signedInAs())) askIfOutdated();
    notify();
  };

  return {
    getState,
    getServerState: () => serverState,
    subscribe(listener) {
      listeners.add(listener);
      if (!leave) {
        seenSession = signedInAs();
        leave = coordinator.subscribe(onChange);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        leave?.();
        leave = undefined;
      };
    },
    holdToken() {
      tokenUsers++;
      askIfOutdated();
      if (tokenUsers === 1) watchExpiry();
      return () => {
        if (--tokenUsers === 0) clearTimeout(timer);
      };
    },
    readsToken(select) {
      tokenRead = false;
      select();
      return tokenRead;
    },
  };
}

function decode(idToken: string | undefined): JWTPayload | undefined {
  const claims = readClaims(idToken);
  return Object.keys(claims)[0] === undefined ? undefined : claims;
}
