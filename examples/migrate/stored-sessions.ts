/**
 * The sessions that other libraries have kept, as token responses. Call `takeOver` once when the app starts, before rendering; nobody has to
 * sign in again. How old an access token is, is not taken over: the first use refreshes.
 */
import type { TokenCoordinator, TokenResponse } from 'one-refresh';

/** The session that was found, and how to remove it there. */
export interface StoredSession {
  readonly tokens: TokenResponse;
  readonly subject?: string | undefined;
  readonly remove: () => void;
}

/** Several tabs may do this at once: the first one wins. The old copy goes only when the coordinator has the session. */
export async function takeOver(
  coordinator: TokenCoordinator,
  found: StoredSession | undefined,
): Promise<void> {
  if (!found) return;
  const { tokens, subject, remove } = found;
  await coordinator.setSession({ ...tokens, expires_in: 0 }, { subject, ifSignedOut: true });
  remove();
}

/** `oidc-client-ts` and `react-oidc-context`; `storage` is that of their `userStore` (default: sessionStorage, which each tab has for itself). */
export function fromOidcClient(
  storage: Storage,
  authority: string,
  clientId: string,
): StoredSession | undefined {
  const key = `oidc.user:${authority}:${clientId}`;
  const user = parse(storage.getItem(key)) as Partial<TokenResponse> & { profile?: { sub?: string } };
  const { access_token, refresh_token, id_token, token_type, scope, profile } = user;
  if (!access_token || !refresh_token) return undefined;
  return {
    tokens: { access_token, refresh_token, id_token, token_type, scope },
    subject: profile?.sub,
    remove: () => storage.removeItem(key),
  };
}

/** `angular-oauth2-oidc`; `storage` is what it was given as `OAuthStorage` (default: sessionStorage). */
export function fromAngularOAuth(storage: Storage): StoredSession | undefined {
  const access_token = storage.getItem('access_token');
  const refresh_token = storage.getItem('refresh_token');
  if (!access_token || !refresh_token) return undefined;
  const claims = parse(storage.getItem('id_token_claims_obj')) as { sub?: string };
  return {
    tokens: { access_token, refresh_token, id_token: storage.getItem('id_token') ?? undefined },
    subject: claims.sub,
    // All that its `logOut()` removes.
    remove: () => ANGULAR_OAUTH_KEYS.forEach((key) => storage.removeItem(key)),
  };
}

const ANGULAR_OAUTH_KEYS = [
  'access_token',
  'access_token_stored_at',
  'expires_at',
  'granted_scopes',
  'id_token',
  'id_token_claims_obj',
  'id_token_expires_at',
  'id_token_stored_at',
  'nonce',
  'PKCE_verifier',
  'refresh_token',
  'session_state',
];

/** `keycloak-js` keeps its tokens in memory only: take them from the instance, after its `init()`, then let go of it. */
export function fromKeycloak(keycloak: {
  token?: string;
  refreshToken?: string;
  idToken?: string;
  subject?: string;
  clearToken(): void;
}): StoredSession | undefined {
  const { token, refreshToken, idToken, subject } = keycloak;
  if (!token || !refreshToken) return undefined;
  return {
    tokens: { access_token: token, refresh_token: refreshToken, id_token: idToken },
    subject,
    remove: () => keycloak.clearToken(),
  };
}

/** A hand-written axios interceptor: whatever it kept, under its own names. Remove the interceptor as well. */
export function fromInterceptor(
  storage: Storage,
  names: { access: string; refresh: string },
): StoredSession | undefined {
  const access_token = storage.getItem(names.access);
  const refresh_token = storage.getItem(names.refresh);
  if (!access_token || !refresh_token) return undefined;
  return {
    tokens: { access_token, refresh_token },
    remove: () => Object.values(names).forEach((name) => storage.removeItem(name)),
  };
}

/** An app that cannot read what is there starts all the same; its user signs in. */
function parse(text: string | null): object {
  try {
    return Object(JSON.parse(text ?? '{}')) as object;
  } catch {
    return {};
  }
}
