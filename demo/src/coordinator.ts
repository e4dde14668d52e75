// The one coordinator of this tab. An application needs no more than this file and its own sign-in.
import { createTokenCoordinator, type TokenCoordinator } from 'one-refresh';
import { refreshTokenGrant } from 'one-refresh/oauth';

/** What the demo's server says about itself at `/config.json`. */
export interface DemoConfig {
  issuer: string;
  clientId: string;
  resource: string;
  scope: string;
}

export async function loadConfig(): Promise<DemoConfig> {
  const response = await fetch('/config.json');
  return (await response.json()) as DemoConfig;
}

export function createDemoCoordinator({ issuer, clientId }: DemoConfig): TokenCoordinator {
  return createTokenCoordinator({
    // The authorization server forgets everything when it stops, and comes back at another port: then this is another login, too.
    name: `demo ${issuer}`,
    refresh: refreshTokenGrant({ issuer, clientId }),
  });
}
