import type { AuthorizationServer } from 'oauth4webapi';
import { readClaims } from '../claims.js';
import { TokenCoordinatorError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import { configurationError, readEndpoint } from '../oauth/options.js';
import { revokeToken } from '../oauth/revocation.js';
import { askedByLogin, discover } from '../oauth/server-metadata.js';
import { keepAttempt, MAX_AGE_MS, readAttempt, withAttempt, type Attempt } from './attempts.js';
import { authorizationUrl, makeSecret, resourcesOf } from './authorization-request.js';
import { exchangeCode, readCode } from './code-exchange.js';
import { checkIdToken } from './id-token.js';
import { asLoginError, LoginError } from './login-error.js';
import { checkOptions, checkRequest, type LoginOptions, type StartOptions } from './options.js';
import { checkReturnTo } from './return-to.js';

/** Signing in and out, as {@link createLogin} returns it. Every method can be destructured. */
export interface Login {
  /**
   * Leaves the page for the authorization server. Pending until the page is gone.
   * @throws `LoginError` (`return_to_invalid`, `server_unavailable`, `storage_unavailable`, or what the server says to a pushed request),
   * `ERR_CONFIGURATION`, `ERR_UNSUPPORTED`
   */
  readonly start: (options?: StartOptions) => Promise<never>;
  /**
   * On the redirect page: takes code and state out of the address, exchanges the code and begins the session in every tab. Call it when the
   * app starts, before rendering. Calls at once share one exchange; a reload, the back button or a second call find nothing to exchange.
   *
   * @returns where the user wants to go on: a path of this origin; `undefined` on every other page
   * @throws `LoginError` (what the server says, for example `access_denied` or `login_required`; `state_unknown`, `issuer_mismatch`,
   * `id_token_invalid`, `response_invalid`, `subject_changed`, `server_unavailable`), and what `setSession` throws
   */
  readonly finish: () => Promise<{ readonly returnTo: string } | undefined>;
  /**
   * Signs in in a window of its own, while this page stays. Call it in the handler of a click, or the browser blocks the window. The redirect
   * page is the same as that of `start()`: its `finish()` begins the session in every tab, then closes the window.
   *
   * @throws what `start` and `finish` throw, `popup_blocked`, `popup_closed`
   */
  readonly popup: (options?: StartOptions) => Promise<void>;
  /**
   * Ends the session in every tab and revokes its tokens, then the provider's own session (OpenID Connect RP-Initiated Logout 1.0), for which
   * it leaves the page. Without an `end_session_endpoint`, or with `everywhere: false`, it stays here.
   *
   * @throws what the coordinator's `signOut` throws; then the provider's session stays, too
   */
  readonly signOut: (options?: { readonly everywhere?: boolean | undefined }) => Promise<void>;
  /**
   * Has the user authenticate again as an API demands it (RFC 9470): with a response's challenge, or with what you know it wants. Only the user
   * who is signed in can come back from it.
   *
   * @throws what `start` throws; `challenge_invalid` if the response asks for nothing like that
   */
  readonly stepUp: (challenge: Response | Pick<StartOptions, 'acrValues' | 'maxAge'>) => Promise<never>;
}

/** How long the provider's logout waits for its address. */
const LOGOUT_WAIT_MS = 5_000;

/**
 * Signs users in with the authorization code flow and PKCE (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1), as a public client, and hands
 * what comes of it to the coordinator. Several tabs may sign in at the same time.
 *
 * Makes no request by itself, touches nothing, and can be called where there is no page (server rendering).
 *
 * @param options - the coordinator, the issuer (or its endpoints), the `client_id` and the redirect page
 * @throws `ERR_CONFIGURATION` if an option is unusable, saying what to change
 * @example
 * const login = createLogin({ coordinator, issuer: 'https://login.example.com', clientId: 'shop', redirectUri: '/callback' });
 */
export function createLogin(options: LoginOptions): Login {
  checkOptions(options);
  const { coordinator, clientId, endpoints, scope = 'openid' } = options;
  const id = `${coordinator.name} ${clientId}`;
  let finishing: ReturnType<Login['finish']> | undefined;
  let leaving: Promise<void> | undefined;

  async function load(): Promise<AuthorizationServer> {
    if (endpoints) {
      const { issuer = new URL(endpoints.token_endpoint).origin } = endpoints;
      return { ...(endpoints as object), issuer };
    }
    const issuer = String(options.issuer);
    const asked = askedByLogin.get(issuer) ?? discover(issuer, options.fetch);
    askedByLogin.set(issuer, asked);
    // A failure is not kept: the next one to ask tries again.
    asked.catch(() => askedByLogin.delete(issuer));
    return asked;
  }

  /** Everything that has to happen before the browser can be sent away. */
  async function begin(
    request: StartOptions,
    more?: Pick<Attempt, 'subject' | 'popup'>,
  ): Promise<{ state: string; url: URL }> {
    checkRequest(request);
    const here = pageAddress();
    const { href: redirectUri, origin, pathname } = new URL(options.redirectUri, here);
    if (origin !== here.origin) {
      throw configurationError(`redirectUri must be on the page's own origin, ${here.origin}.`);
    }
    const state = makeSecret();
    const attempt: Attempt = {
      ...more,
      login: id,
      verifier: makeSecret(),
      nonce: makeSecret(),
      returnTo: checkReturnTo(request.returnTo ?? (here.pathname === pathname ? '.' : here), here),
      at: Date.now(),
      resource: resourcesOf(options, request)[0],
      maxAge: request.maxAge,
    };
    try {
      const url = await authorizationUrl(options, await load(), request, { state, redirectUri, attempt });
      keepAttempt(state, attempt);
      return { state, url };
    } catch (error) {
      throw asLoginError(error);
    }
  }

  async function leave(request: StartOptions, more?: Pick<Attempt, 'subject'>): Promise<never> {
    const { url } = await begin(request, more);
    location.assign(url.href);
    return new Promise(() => {});
  }

  async function complete(
    state: string,
    answer: URLSearchParams,
    redirectUri: string,
  ): ReturnType<Login['finish']> {
    return withAttempt(state, async (attempt) => {
      const secrets = [state, attempt.nonce, attempt.verifier, answer.get('code') ?? ''];
      const run = async (): Promise<void> => {
        const server = await load();
        const code = readCode(server, answer, secrets);
        const { tokens, dpopKeyPair } = await exchangeCode(options, server, code, redirectUri, attempt);
        try {
          await begun(server, attempt, tokens, dpopKeyPair);
        } catch (error) {
          // Nobody has these tokens now.
          const { refresh_token: unused } = tokens;
          if (unused)
            void revokeToken(options, { known: () => server, load }, unused, 'refresh_token').catch(() => {});
          throw error;
        }
      };
      const failed = await run().then(
        () => undefined,
        (error: unknown) => ({ error: asLoginError(error, secrets) }),
      );
      if (attempt.popup) await (await import('./popup.js')).reportToOpener(state, coordinator, failed);
      if (failed) throw failed.error;
      return { returnTo: attempt.returnTo };
    });
  }

  async function begun(
    server: AuthorizationServer,
    { nonce, maxAge, subject: expected }: Attempt,
    tokens: TokenResponse,
    dpopKeyPair: CryptoKeyPair | undefined,
  ): Promise<void> {
    const asked = /(^| )openid( |$)/.test(scope);
    const subject =
      asked || tokens.id_token
        ? await checkIdToken(tokens, { issuer: server.issuer, clientId, nonce, maxAge })
        : undefined;
    // guard: login: only the user who was asked to steps up
    if (expected !== undefined && subject !== expected) {
      throw new LoginError('subject_changed', 'Another user signed in');
    }
    await coordinator.setSession(tokens, { subject, dpopKeyPair });
  }

  /** The parameters of the redirect, if there was one; the address is clean afterwards. */
  function takeAnswer(): { state: string; answer: URLSearchParams; redirectUri: string } | undefined {
    if (typeof document === 'undefined') return undefined;
    const here = new URL(location.href);
    const { href: redirectUri, origin, pathname } = new URL(options.redirectUri, here);
    const answer = here.searchParams;
    const state = answer.get('state');
    if (here.origin !== origin || here.pathname !== pathname || !state) return undefined;
    if (!answer.has('code') && !answer.has('error')) return undefined;
    // Another login of this origin may have the same redirect page.
    if ((readAttempt(state)?.login ?? id) !== id) return undefined;
    // Before anything else happens: the code must reach neither a Referer nor the history.
    history.replaceState(history.state, '', redirectUri);
    return { state, answer, redirectUri };
  }

  async function endSession(how: Parameters<Login['signOut']>[0]): Promise<void> {
    const { everywhere = true } = Object(how) as { everywhere?: boolean };
    await coordinator.ready;
    const idToken = coordinator.peekIdToken();
    // Asked for at once, so that the revocation that signOut() sends need not wait for it either.
    const asked = everywhere && load().catch(() => undefined);
    // guard: logout: nothing ends at the provider that has not ended here
    // guard: logout: the session here has ended before the page is left
    await coordinator.signOut();
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, LOGOUT_WAIT_MS));
    const { end_session_endpoint: endpoint } = (await Promise.race([asked, late])) || {};
    if (!endpoint) return;
    const url = new URL(readEndpoint('end_session_endpoint, as the issuer publishes it,', endpoint));
    url.searchParams.set('client_id', clientId);
    // guard: logout: the ID token is read before the session ends
    if (idToken) url.searchParams.set('id_token_hint', idToken);
    const { postLogoutRedirectUri: back } = options;
    if (back) url.searchParams.set('post_logout_redirect_uri', new URL(back, pageAddress()).href);
    // The revocation is on its way by then, and outlives the page.
    // guard: logout: the revocation leaves before the page does
    await new Promise((resolve) => setTimeout(resolve));
    location.assign(url.href);
  }

  return {
    start: async (request) => leave(Object(request)),

    finish: async () => {
      const answered = takeAnswer();
      if (answered) {
        const { state, answer, redirectUri } = answered;
        finishing = complete(state, answer, redirectUri).finally(() => (finishing = undefined));
      }
      return finishing;
    },

    async popup(request) {
      if (typeof window === 'undefined' || typeof BroadcastChannel === 'undefined') {
        throw new LoginError('popup_blocked', 'No window opens here; use start()');
      }
      // Before anything else: browsers open windows only while a click is handled.
      const opened = window.open('', '_blank', 'popup,width=500,height=700');
      const { waitForPopup } = await import('./popup.js');
      const beginPopup = () => begin(Object(request), { popup: true });
      const failure = await waitForPopup(opened, coordinator, beginPopup, MAX_AGE_MS);
      if (failure) throw new LoginError(failure.code, failure.message, failure);
    },

    // (A second one, as of a double click, would find no ID token, and leave the page without it.)
    // guard: logout: two at once are one
    signOut: (how) => (leaving ??= endSession(how).finally(() => (leaving = undefined))),

    async stepUp(challenge) {
      const { readStepUp } = await import('./step-up.js');
      const wanted = await readStepUp(Object(challenge), coordinator, readClaims);
      if ('code' in wanted) throw new LoginError(wanted.code, wanted.message);
      return leave(wanted, wanted);
    },
  };
}

/** @throws `ERR_UNSUPPORTED` where there is no page */
function pageAddress(): URL {
  if (typeof document === 'undefined') {
    throw new TokenCoordinatorError('ERR_UNSUPPORTED', 'Signing in takes a page');
  }
  return new URL(location.href);
}
