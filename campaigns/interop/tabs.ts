// The tabs of one browser, and what they did together.
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright';
import type { Send } from '../../test/interop/code-flow.js';

export interface Outcome {
  /** Access tokens that expired and were replaced. */
  readonly expiries: number;
  /** The results of the tabs' calls: `token`, or error codes. Each once. */
  readonly answers: string[];
  /** Reasons of the `reauth-required` events, of all tabs. */
  readonly asked: string[];
}

export interface Tabs {
  /** In one of them; resolves when all are signed in. */
  signIn(): Promise<void>;
  /** In the last of them; resolves when all are signed out. */
  signOut(): Promise<void>;
  /** Every tab asks twice for a token, at the moment of the expiry. Resolves when all tabs have come to the same state. */
  expire(): Promise<Outcome>;
  /** Every tab asks once more, at once. */
  askAgain(): Promise<string[]>;
  /** Errors that nobody caught. */
  errors(): Promise<string[]>;
}

/** A second `reauth-required` event would come within this time. */
const SETTLE_MS = 1_000;

export async function openTabs(context: BrowserContext, url: string, count: number): Promise<Tabs> {
  const pages: Page[] = [];
  for (let n = 0; n < count; n++) {
    const page = await context.newPage();
    await page.goto(url);
    pages.push(page);
  }
  const first = pages[0]!;
  const everywhere = <T>(run: (page: Page) => Promise<T>): Promise<T[]> => Promise.all(pages.map(run));
  const reach = async (status: string, version?: number): Promise<void> => {
    await everywhere((page) =>
      page.waitForFunction(
        ([status, version]) => {
          const snapshot = window.app?.snapshot();
          return snapshot?.status === status && (version ?? snapshot.version) === snapshot.version;
        },
        [status, version] as const,
      ),
    );
  };
  const snapshots = () => everywhere((page) => page.evaluate(() => window.app!.snapshot()));
  const takeAsked = async (): Promise<string[]> =>
    (await everywhere((page) => page.evaluate(() => window.app!.asked.splice(0)))).flat();
  await everywhere((page) => page.waitForFunction(() => window.app !== undefined));

  return {
    async signIn() {
      await first.evaluate(() => window.app!.signIn());
      await reach('signed-in', 1);
      // The tab that leaves for the server may be the one that was asked. Then another one was asked in its place.
      await takeAsked();
    },
    async signOut() {
      await pages.at(-1)!.evaluate(() => window.app!.signOut());
      await reach('signed-out');
    },
    async expire() {
      const before = (await snapshots())[0]!.version;
      const answers = (await everywhere((page) => page.evaluate(() => window.app!.askAtExpiry()))).flat();
      const after = Math.max(...(await snapshots()).map(({ version }) => version));
      if (new Set(answers).size === 1 && answers[0] === 'token') await reach('signed-in', after);
      else {
        await reach('reauth-required');
        await sleep(SETTLE_MS);
      }
      return { expiries: after - before, answers: [...new Set(answers)], asked: await takeAsked() };
    },
    async askAgain() {
      const answers = await everywhere((page) => page.evaluate(() => window.app!.askAtExpiry()));
      return [...new Set(answers.flat())];
    },
    errors: async () => (await everywhere((page) => page.evaluate(() => window.app!.errors))).flat(),
  };
}

/** Sends as this browser would, with its cookies. */
export function sendAs({ request: api }: BrowserContext): Send {
  return async (request) => {
    const body = Buffer.from(await request.arrayBuffer());
    const response = await api.fetch(request.url, {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      maxRedirects: 0,
      ...(body.length > 0 && { data: body }),
    });
    const headers = new Headers(
      response.headersArray().map(({ name, value }) => [name, value] as [string, string]),
    );
    return new Response(await response.text(), { status: response.status(), headers });
  };
}
