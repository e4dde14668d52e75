export { refreshTokenGrant } from './refresh-token-grant.js';
export type { RefreshTokenGrantOptions } from './options.js';
