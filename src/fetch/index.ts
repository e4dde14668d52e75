export { createFetch } from './create-fetch.js';
export type { CreateFetchOptions } from './create-fetch.js';
export type { AllowedOrigin } from './allowed-origins.js';
export type { TokenProvider } from './send-authorized.js';
