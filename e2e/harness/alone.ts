import { ownBrowser } from './own-browser.js';

/**
 * In place of the fixture `partition`: a Chromium that ends with the test. Told to do away with a context in which a service worker
 * runs, it now and then never answers (https://github.com/puppeteer/puppeteer/issues/11627).
 */
export const alone = ownBrowser({ chromium: 'alone' });
