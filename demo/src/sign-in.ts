// Signing in is the application's own business: authorization code with PKCE, through the real redirect.
import * as oauth from 'oauth4webapi';
import type { TokenCoordinator } from 'one-refresh';
import { rememberPlace, returnToPlace } from '../../examples/reauth-prompt.js';
import type { DemoConfig } from './coordinator.js';

/** What has to survive the way to the authorization server and back, in this tab alone. */
interface PendingSignIn {
  verifier: string;
  state: string;
  nonce: string;
}

const PENDING = 'demo.pending-sign-in';
const CALLBACK = '/callback';

/** The demo's authorization server is on this very machine, on plain http. */
const loopback = { [oauth.allowInsecureRequests]: true };

async function discover({ issuer }: DemoConfig): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, loopback));
}

export async function startSignIn(config: DemoConfig): Promise<void> {
  const pending: PendingSignIn = {
    verifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
  };
  const { authorization_endpoint: endpoint = '' } = await discover(config);
  const url = new URL(endpoint);
  url.search = new URLSearchParams({
    client_id: config.clientId,
    response_type: 'code',
    redirect_uri: location.origin + CALLBACK,
    scope: config.scope,
    resource: config.resource,
    // Always ask who it is: this demo is about changing users, too.
    prompt: 'login consent',
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
  }).toString();
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  rememberPlace();
  location.assign(url);
}

/** Where the page was opened by the redirect back: exchanges the code and begins the session in every tab. */
export async function finishSignIn(config: DemoConfig, coordinator: TokenCoordinator): Promise<void> {
  if (location.pathname !== CALLBACK) return;
  const saved = sessionStorage.getItem(PENDING);
  const answer = new URL(location.href);
  sessionStorage.removeItem(PENDING);
  returnToPlace();
  if (saved === null) return;

  const { verifier, state, nonce } = JSON.parse(saved) as PendingSignIn;
  const server = await discover(config);
  const client: oauth.Client = { client_id: config.clientId, id_token_signed_response_alg: 'ES256' };
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    oauth.validateAuthResponse(server, client, answer, state),
    location.origin + CALLBACK,
    verifier,
    loopback,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  const subject = oauth.getValidatedIdTokenClaims(tokens)?.sub;
  await coordinator.setSession(tokens, { subject });
}
