// one-refresh, as a token source like the others.
import { createTokenCoordinator, type TokenCoordinator, type TokenCoordinatorOptions } from 'one-refresh';
import { refreshTokenGrant } from 'one-refresh/oauth';
import { SessionLostError, type TokenSource } from './token-source.js';
import type { RivalOptions } from './uncoordinated.js';

export interface CoordinatedOptions extends RivalOptions {
  /** Sends the idempotency key by which a session table knows a repetition. */
  sendsIdempotencyKey: boolean;
  /** In place of the coordinator's defaults. */
  coordinator?: Partial<TokenCoordinatorOptions>;
}

export interface CoordinatedSource extends TokenSource {
  readonly coordinator: TokenCoordinator;
}

export function createCoordinated(options: CoordinatedOptions): CoordinatedSource {
  const coordinator = createTokenCoordinator({
    name: options.name,
    refresh: refreshTokenGrant({
      tokenEndpoint: options.tokenEndpoint,
      clientId: options.clientId,
      versionParameter: options.sendsVersion ? 'token_version' : undefined,
      idempotencyHeader: options.sendsIdempotencyKey ? 'Idempotency-Key' : undefined,
      parameters: options.parameters,
    }),
    ...options.coordinator,
  });
  const get = async (forceRefresh: boolean): Promise<string> => {
    try {
      return await coordinator.getAccessToken(forceRefresh ? { forceRefresh } : undefined);
    } catch (error) {
      const { code } = error as { code?: string };
      throw code === 'ERR_REAUTH_REQUIRED' || code === 'ERR_SIGNED_OUT' ? new SessionLostError() : error;
    }
  };
  return {
    coordinator,
    peek: () => coordinator.peekAccessToken(),
    getAccessToken: () => get(false),
    renew: (version) => get(coordinator.getSnapshot().version <= version),
    // The number of the login is its subject here: every tab learns it with the session.
    signIn: ({ number, tokens }) => coordinator.setSession(tokens, { subject: String(number) }),
    login: () => Number(coordinator.getSnapshot().subject ?? 0),
    version: () => coordinator.getSnapshot().version,
    expiresAt: () => coordinator.getSnapshot().expiresAt ?? 0,
  };
}
