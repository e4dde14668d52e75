export { serveRefresh } from './serve-refresh.js';
export type { RefreshService } from './serve-refresh.js';
