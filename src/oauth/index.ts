export { refreshTokenGrant } from './refresh-token-grant.js';
export type { RefreshTokenGrantOptions } from './options.js';
export { getDPoPKeyPair } from './dpop/get-dpop-key-pair.js';
export { dpopSupport } from './dpop/dpop-support.js';
export type { DPoPSupport, ProvenRequest } from './dpop/dpop-support.js';
