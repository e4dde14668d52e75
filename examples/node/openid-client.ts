/** `openid-client` asks the token endpoint, in its own way (client authentication, DPoP, mTLS); `one-refresh/node` decides who asks, and when. */
import { refreshTokenGrant, ResponseBodyError, type Configuration } from 'openid-client';
import { RefreshRejectedError, RefreshUnavailableError, type RefreshFunction } from 'one-refresh';

export function refreshWith(configuration: Configuration): RefreshFunction {
  return async ({ refreshToken = '' }) => {
    try {
      const tokens = await refreshTokenGrant(configuration, refreshToken);
      const { access_token, refresh_token, id_token, expires_in } = tokens;
      return { access_token, refresh_token, id_token, expires_in };
    } catch (error) {
      if (!(error instanceof ResponseBodyError) || error.status === 429 || error.status >= 500) {
        throw new RefreshUnavailableError({ status: (error as { status?: number }).status });
      }
      throw new RefreshRejectedError({
        error: error.error,
        errorDescription: error.error_description,
        status: error.status,
      });
    }
  };
}
