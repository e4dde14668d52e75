import { ownBrowser } from './own-browser.js';

/** In place of the fixture `partition`: Firefox cuts off what a tab does while it is closed (last-words.spec.ts); here it is told not to. */
export const lastWords = ownBrowser({ firefox: { 'dom.abort_script_on_child_shutdown': false } });
