import type { Say } from './texts.development.js';

/**
 * The messages of an app in production: short, with the page that has the sentences. `#texts` means this module, or
 * `texts.development.ts` under the conditions `development` and `node`; see `imports` in package.json.
 */
export const say: Say = (...words) =>
  `${words.join(' ')}, see https://one-refresh.github.io/one-refresh/errors`;

/** Stands behind a `TypeError` of `fetch`. */
export const NETWORK_HINT = '';
