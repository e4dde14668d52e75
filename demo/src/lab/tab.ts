// One tab of the lab: a frame of the lab page or a browser tab of its own. It comes by its token in the way that the lab compares.
import { modes, createSource } from '../rivals/modes.js';
import { SessionLostError, type Login } from '../rivals/token-source.js';
import { loadConfig } from '../coordinator.js';
import { drawFace } from './face.js';
import { openLine, type TabState } from './messages.js';

const query = new URLSearchParams(location.search);
const tab = query.get('tab') ?? `tab ${crypto.randomUUID().slice(0, 4)}`;
const mode = modes.find(({ name }) => name === query.get('mode')) ?? modes[0];
const config = await loadConfig();
const source = createSource(
  mode,
  {
    name: `lab ${mode.name} ${config.issuer}`,
    tokenEndpoint: `${config.issuer}/token`,
    clientId: config.clientId,
    parameters: { x_tab: tab },
  },
  { proactive: 'never' },
);
await source.coordinator?.ready;

/** How far apart the tabs notice that a token is over: their clocks differ, and their users click at different moments. */
const SPREAD_MS = 250;

let gone = false;
/** The login that was in use when this tab was last refused. */
let lostLogin = 0;
let status: TabState['status'] = source.login() === 0 ? 'signed-out' : 'fresh';

const line = openLine((message) => {
  if (message.type === 'close' && message.tab === tab) window.close();
  if (message.type === 'sign-in' && message.tab === tab) void signIn(message.lost);
  if (message.type === 'expire' && message.mode === mode.name) void renew(message.round, message.version);
});

async function renew(round: number, version: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * SPREAD_MS));
  const login = source.login();
  show('asking');
  const startedAt = performance.now();
  let outcome: 'token' | 'lost' | 'failed' = 'token';
  try {
    await source.renew(version);
  } catch (error) {
    outcome = error instanceof SessionLostError ? 'lost' : 'failed';
    lostLogin = login;
  }
  show(outcome === 'token' ? 'fresh' : outcome === 'lost' ? 'lost' : 'waiting');
  line.post({ type: 'done', tab, round, ms: performance.now() - startedAt, outcome });
}

async function signIn(lost: number): Promise<void> {
  show('asking');
  const response = await fetch(`/__lab/login?lost=${lost}`, { method: 'POST' });
  const { number, tokens } = (await response.json()) as { number: number; tokens?: Login['tokens'] };
  if (tokens) await source.signIn({ number, tokens });
  show('fresh');
}

function show(next: TabState['status']): void {
  status = next;
  report();
}

function state(): TabState {
  const leader = source.coordinator?.getSnapshot().role === 'leader';
  const login = source.login();
  // Another tab signed in meanwhile.
  if ((status === 'lost' && login > lostLogin) || (status === 'signed-out' && login > 0)) status = 'fresh';
  return {
    tab,
    mode: mode.name,
    real: window.top === window,
    leader,
    version: source.version(),
    login,
    expiresAt: source.expiresAt(),
    status,
  };
}

function report(): void {
  // Events while this page goes are not news of a tab.
  if (gone) return;
  const now = state();
  line.post({ type: 'state', state: now });
  draw(now);
}

function draw(state: TabState): void {
  const face = document.getElementById('tab');
  if (face === null) return;
  document.title = `${state.leader ? '♛ ' : ''}${tab}: ${mode.name}`;
  face.ariaLabel = `Tab ${tab}`;
  drawFace(face, state);
}

source.coordinator?.subscribe(report);
addEventListener('storage', report);
// Frames of one page share a process, and no storage event tells them of each other.
setInterval(report, 500);
addEventListener('pagehide', () => {
  gone = true;
  line.post({ type: 'bye', tab });
  void source.coordinator?.close();
});
report();
