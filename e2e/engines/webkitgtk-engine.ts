// WebKitGTK, as Debian ships it, through its WebDriver. A driver has one session at a time, a session is a browser process with a
// storage of its own, and it has one current window: choosing a window and speaking to it must not be interleaved with anything else.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Engine, EngineTab, Partition } from './engine.js';
import { start, type Running } from './process.js';
import { startSession } from './webdriver.js';

interface Answer {
  value?: string;
  error?: string;
}

export async function webKitGtkEngine(driverPath: string): Promise<Engine> {
  const display = await startDisplay();
  const port = await freePort();
  const driver = start(driverPath, [`--port=${port}`, '--host=127.0.0.1'], {
    stdio: 'ignore',
    // No GPU, no desktop: whatever needs one only costs time.
    env: {
      ...process.env,
      DISPLAY: display.name,
      NO_AT_BRIDGE: '1',
      LIBGL_ALWAYS_SOFTWARE: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      WEBKIT_DISABLE_DMABUF_RENDERER: '1',
    },
  });
  const address = `http://127.0.0.1:${port}`;
  await answering(`${address}/status`);
  const mailbox = await startMailbox();
  return {
    newPartition: () => newPartition(address, mailbox),
    async close() {
      await driver.stop();
      await display.stop();
      mailbox.close();
    },
  };
}

async function newPartition(driver: string, mailbox: Mailbox): Promise<Partition> {
  const session = await startSession(driver, { 'webkitgtk:browserOptions': { args: ['--automation'] } });
  await session.command('POST', '/timeouts', { script: 60_000, pageLoad: 60_000 });
  const home = (await session.command('GET', '/window')) as string;

  let last: Promise<unknown> = Promise.resolve();
  const inWindow = <T>(handle: string, act: () => Promise<T>): Promise<T> => {
    const turn = last.then(async () => {
      await session.command('POST', '/window', { handle });
      return act();
    });
    last = turn.catch(() => {});
    return turn;
  };

  const openTab = (handle: string): EngineTab => {
    const waiting = new Set<string>();
    const abandon = (): void => {
      for (const id of waiting) mailbox.deliver(id, { error: 'The page went before it had answered' });
    };
    return {
      async evaluate<Result>(run: (argument: never) => Result, argument?: unknown): Promise<Result> {
        const { id, answer } = mailbox.expect();
        waiting.add(id);
        // The script only begins the work: a session that waited for its end could not speak to any other tab meanwhile.
        await inWindow(handle, () =>
          session.command('POST', '/execute/sync', {
            script: `(${String(evaluateInPage)})(${String(run)}, ${String(readNumber)}, ...arguments)`,
            args: [JSON.stringify(argument ?? null, spellNumber), `${mailbox.url}/${id}`],
          }),
        );
        const { value, error } = await answer;
        waiting.delete(id);
        if (error !== undefined) throw new Error(error);
        return (value === undefined ? undefined : JSON.parse(value)) as Result;
      },
      async goto(url) {
        abandon();
        await inWindow(handle, () => session.command('POST', '/url', { url }));
      },
      // A script that meets a page on its way into the cache is never answered, and holds up every other command of the session.
      async back() {
        abandon();
        await inWindow(handle, () => session.command('POST', '/back'));
      },
      async close() {
        abandon();
        await inWindow(handle, () => session.command('DELETE', '/window'));
      },
    };
  };

  return {
    // The first window stays empty: a session ends with its last one. A tab of a window that shows another one is hidden.
    newTab: async ({ hidden } = { hidden: false }) => {
      const type = hidden ? 'tab' : 'window';
      const created = await inWindow(home, () => session.command('POST', '/window/new', { type }));
      return openTab((created as { handle: string }).handle);
    },
    async close() {
      await last;
      await session.end();
    },
  };
}

/** Values that JSON has no word for. */
function spellNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
}

/** Runs in the page. */
function readNumber(_key: string, value: unknown): unknown {
  const { number, ...rest } = Object(value) as { number?: string };
  return number === undefined || Object.keys(rest).length > 0 ? value : Number(number);
}

/** Runs in the page. */
function evaluateInPage(
  run: (argument: unknown) => unknown,
  revive: (key: string, value: unknown) => unknown,
  argument: string,
  mailbox: string,
): void {
  const work = async (): Promise<string> => JSON.stringify(await run(JSON.parse(argument, revive)));
  void work()
    .then(
      (value) => ({ value }),
      (error: unknown) => ({ error: String(error) }),
    )
    .then(async (answer) => {
      const body = JSON.stringify(answer);
      // A page that was told to go takes a plain request with it; a beacon carries 64 KB at most.
      if (!navigator.sendBeacon(mailbox, body)) await fetch(mailbox, { method: 'POST', body });
    });
}

interface Mailbox {
  readonly url: string;
  expect(): { id: string; answer: Promise<Answer> };
  deliver(id: string, answer: Answer): void;
  close(): void;
}

/** Where pages post their answers, each to an address of its own. */
async function startMailbox(): Promise<Mailbox> {
  const waiting = new Map<string, (answer: Answer) => void>();
  let expected = 0;
  const deliver = (id: string, answer: Answer): void => {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  };
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    req.on('end', () => {
      res.writeHead(204, { 'access-control-allow-origin': '*', connection: 'close' }).end();
      deliver((req.url ?? '').slice(1), JSON.parse(body) as Answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    expect() {
      const id = String(++expected);
      return { id, answer: new Promise((resolve) => waiting.set(id, resolve)) };
    },
    deliver,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A virtual display of our own where Xvfb is installed: no window on anybody's screen. Else the one that there is. */
async function startDisplay(): Promise<{ name: string; stop(): Promise<void> }> {
  let xvfb: Running;
  try {
    xvfb = start('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const { child } = xvfb;
    // It chooses a free display itself and writes its number there.
    const number = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error('Xvfb did not start')));
      child.stdio[3]?.once('data', (data: Buffer) => resolve(data.toString().trim()));
    });
    return { name: `:${number}`, stop: xvfb.stop };
  } catch (error) {
    const name = process.env['DISPLAY'];
    if (!name) throw error;
    return { name, stop: async () => {} };
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(url: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await fetch(url);
      return;
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
