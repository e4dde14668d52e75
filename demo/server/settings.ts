import type { RemedySettings } from './remedies.js';

/** The settings of a page's sign-in; served at `/config.json`. */
export interface DemoConfig {
  issuer: string;
  clientId: string;
  resource: string;
  /** Of the further APIs. */
  furtherResources: readonly string[];
  scope: string;
}

/** What a test or the lab may change while the server runs. */
export interface ServerSettings extends RemedySettings {
  accessTokenTtl: number;
  forgiveReplayForMs: number;
}
