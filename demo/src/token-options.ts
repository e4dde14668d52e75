// The options that page and refresh worker must share.
import type { TokenCoordinatorOptions } from 'one-refresh';
import { refreshTokenGrant } from 'one-refresh/oauth';

/** The demo server's word about itself at `/config.json`. */
export interface DemoConfig {
  issuer: string;
  clientId: string;
  resource: string;
  scope: string;
}

export function tokenOptions(
  { issuer, clientId }: Pick<DemoConfig, 'issuer' | 'clientId'>,
  by: 'tab' | 'worker',
): TokenCoordinatorOptions {
  return {
    // The authorization server forgets everything when it stops, and comes back at another port: then this is another login, too.
    name: `demo ${issuer}`,
    // The asking tab, for the picture of what the server saw; no authorization server needs it.
    refresh: refreshTokenGrant({ issuer, clientId, parameters: { x_by: by } }),
  };
}
