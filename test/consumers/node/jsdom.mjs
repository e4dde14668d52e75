// An app's own test in jsdom, without IndexedDB: a real coordinator is made and never closed; the process ends all the same.
import assert from 'node:assert/strict';

const { JSDOM } = await import(process.argv[2]);
const { window } = new JSDOM('', { url: 'https://app.example.com/' });
Object.assign(globalThis, { window, document: window.document });
// As a test runner does. The coordinator's own timers keep nothing alive, not even a test that waits for them.
const runner = setInterval(() => {}, 1_000);

const { createTokenCoordinator } = await import('one-refresh');
let refreshes = 0;
const options = {
  name: 'jsdom',
  refresh: async () => ({ access_token: `fresh ${++refreshes}`, refresh_token: 'next', expires_in: 60 }),
};
const [one, two] = [createTokenCoordinator(options), createTokenCoordinator(options)];
await one.setSession({ access_token: 'first', refresh_token: 'one', expires_in: 60 });
assert.equal(await one.getAccessToken(), 'first');
assert.equal(one.getSnapshot().storage, 'memory');
assert.equal(await one.getAccessToken({ forceRefresh: true }), 'fresh 1');
while (two.getSnapshot().version < 2) await new Promise((resolve) => setTimeout(resolve, 10));
assert.equal(await two.getAccessToken(), 'fresh 1');
assert.equal(refreshes, 1);
console.log('tested');
clearInterval(runner);
