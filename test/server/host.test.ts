import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDemoServer, type DemoServer } from '../../demo/server/server.js';

let demo: DemoServer;
beforeAll(async () => {
  const pages = async () =>
    Promise.resolve({
      handle: (_: unknown, res: { end(): unknown }) => void res.end(),
      close: async () => {},
    });
  demo = await startDemoServer({ pages });
});
afterAll(() => demo.close());

const ask = (url: string, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
  });

// Another name that resolves to this machine makes another origin, whose pages could read what they are answered.
test.each(['attacker.example', 'attacker.example:80', '127.0.0.1.attacker.example', 'localhost.example'])(
  'answers no page that calls it %j',
  async (host) => {
    for (const url of [`${demo.url}/config.json`, `${demo.config.issuer}/.well-known/openid-configuration`])
      expect(await ask(url, host)).toBe(421);
  },
);

test('answers by its own names', async () => {
  for (const host of ['127.0.0.1', 'localhost:80', '[::1]', 'tab.localhost'])
    expect(await ask(`${demo.url}/`, host)).toBe(200);
});
