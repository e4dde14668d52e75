// `one-refresh/server`: for the owner of a token endpoint. Nothing else in the package imports it.
export { createIdempotentRotation, type IdempotentRotationOptions } from './idempotent-rotation.js';
export {
  createEndpointMonitor,
  type Conflict,
  type EndpointMetrics,
  type EndpointMonitor,
  type EndpointMonitorOptions,
  type RefreshOutcome,
} from './monitor.js';
export type { RemedyOptions } from './options.js';
export type { PostgresPool } from './postgres-pool.js';
export { postgresSchema } from './postgres-schema.js';
export { postgresStore, type PostgresStoreOptions } from './postgres-store.js';
export { redisStore, type RedisClient, type RedisStoreOptions } from './redis-store.js';
export { sqliteStore } from './sqlite-store.js';
export type {
  Claim,
  Requester,
  RotationStore,
  ServerStore,
  Settlement,
  SpentToken,
  VersionClaim,
  VersionStore,
} from './store.js';
export type { TokenHandler, TokenMiddleware } from './token-request.js';
export { createVersionCheck, type VersionCheckOptions } from './version-check.js';
