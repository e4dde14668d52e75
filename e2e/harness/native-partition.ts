import { ownBrowser } from './own-browser.js';

/** In place of the fixture `partition`: a Chromium as its users have it; the other engines as always. */
export const nativePartition = ownBrowser({ chromium: {} });
