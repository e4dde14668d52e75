// One tab of the war: it needs a token now and then, at random moments, as people click; and it logs in again when it must.
import { createSource, type Mode } from '../../../demo/src/rivals/modes.js';
import { SessionLostError, type Login } from '../../../demo/src/rivals/token-source.js';

export interface TabReport {
  /** Times from asking for a token to having one, of the calls that found none that was live; milliseconds. */
  waits: number[];
  /** Calls in all. */
  calls: number;
  /** Calls that ended without a token, for reasons that may pass. */
  failures: number;
}

interface TabSettings {
  tab: string;
  mode: Mode;
  tokenEndpoint: string;
  clientId: string;
  /** Mean time between two calls, milliseconds. */
  thinkMs: number;
}

declare global {
  interface Window {
    war: { ready: Promise<unknown>; signIn(): Promise<void>; fight(): void; stop(): Promise<TabReport> };
  }
}

const settings = JSON.parse(new URLSearchParams(location.search).get('settings') ?? '{}') as TabSettings;
const { tab, mode, tokenEndpoint, clientId } = settings;
const source = createSource(
  mode,
  { name: 'war', tokenEndpoint, clientId, parameters: { x_tab: tab } },
  // On demand, and the same idea of "expired" as the others, so that all ways are asked the same question.
  { proactive: 'never', minValidityMs: 0 },
);
const report: TabReport = { waits: [], calls: 0, failures: 0 };
/** Asked through a function, since it changes while a loop waits. */
let stopping = false;
const stopped = (): boolean => stopping;
let fighting: Promise<void> | undefined;

window.war = {
  ready: source.coordinator?.ready ?? Promise.resolve(),
  signIn: () => signInAfter(0),
  fight: () => void (fighting = fight()),
  async stop() {
    stopping = true;
    await fighting;
    return report;
  },
};

async function fight(): Promise<void> {
  while (!stopped()) {
    // Exponential: calls that know nothing of each other.
    await sleep(-Math.log(1 - Math.random()) * settings.thinkMs);
    if (!stopped()) await callOnce();
  }
}

async function callOnce(): Promise<void> {
  report.calls++;
  if (source.peek() !== undefined) return;
  const login = source.login();
  const startedAt = performance.now();
  try {
    await source.getAccessToken();
    report.waits.push(performance.now() - startedAt);
  } catch (error) {
    // A person at a login page is not measured in milliseconds, so this wait is counted as a forced log-in only.
    if (error instanceof SessionLostError) await signInAfter(login);
    else report.failures++;
  }
}

/** Several tabs may find out at once; the person logs in once, and the other tabs see it. */
async function signInAfter(lost: number): Promise<void> {
  const response = await fetch(`/__war/sign-in?lost=${lost}`, { method: 'POST' });
  const { number, tokens } = (await response.json()) as { number: number; tokens?: Login['tokens'] };
  if (tokens) return source.signIn({ number, tokens });
  for (let waited = 0; waited < 2_000; waited += 10) {
    if (source.login() >= number) return;
    await sleep(10);
  }
  // The other tab's login did not arrive here, or was thrown away.
  if (!stopped()) await signInAfter(number);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
