// The lab itself, without its looks: which tabs there are, what they are told, what came of it.
import { modes, type Mode } from '../rivals/modes.js';
import { openLine, type TabState } from './messages.js';
import { noScore, outcomeOf, scoreOf, type Score } from './score.js';
import { addFault, clearFaults, prepare, putBack, readLog, type LabRequest } from './server.js';

export interface LabState {
  mode: Mode;
  /** Names of the frames on this page. */
  frames: readonly string[];
  tabs: readonly TabState[];
  requests: readonly LabRequest[];
  /** The server's clock minus this page's. */
  offset: number;
  scores: Readonly<Record<string, Score>>;
  running: { done: number; of: number } | undefined;
  /** Something is being done that nothing else should disturb. */
  busy: boolean;
  /** Somebody has to sign in again. */
  lost: boolean;
  /** The last round's result, in words. */
  news: string;
}

export type Trouble = 'slow' | '503' | 'offline';

/** Each of these does nothing while another one is busy; `stop` ends a `run` after its round. */
export interface Lab {
  getState: () => LabState;
  subscribe: (listener: () => void) => () => void;
  setMode: (mode: Mode) => Promise<void>;
  addTab: () => Promise<void>;
  openRealTab: () => Promise<void>;
  closeLeader: () => Promise<void>;
  loseMidRefresh: () => Promise<void>;
  trouble: (kind: Trouble) => Promise<void>;
  expire: () => Promise<void>;
  run: (rounds: number) => Promise<void>;
  stop: () => void;
  signInAgain: () => Promise<void>;
}

const FIRST_TABS = 4;
const NAMES = ['Ada', 'Bo', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hana', 'Ivo', 'Jo', 'Kim', 'Lou'];
/** In which the first tabs have to be there: a development server on a busy machine takes its time. */
const OPENING_MS = 60_000;
/** A tab that has not answered after that long is left behind. */
const ROUND_MS = 15_000;
const KEPT_WAITS = 100;

export function createLab(): Lab {
  let state: LabState = {
    mode: modes[0],
    frames: [],
    tabs: [],
    requests: [],
    offset: 0,
    scores: {},
    running: undefined,
    busy: false,
    lost: false,
    news: '',
  };
  const listeners = new Set<() => void>();
  let opened = 0;
  let round = 0;
  let logins = 0;
  let firstLogin = 0;
  let answers = new Map<string, { ms: number; outcome: string }>();

  const set = (change: Partial<LabState>): void => {
    state = { ...state, ...change };
    for (const listener of listeners) listener();
  };
  const nameATab = (): string => {
    const name = NAMES[opened % NAMES.length] ?? '';
    const turn = Math.floor(opened++ / NAMES.length);
    return turn === 0 ? name : `${name} ${turn + 1}`;
  };
  /** A request made while something else is under way is not done later either: the asking code has seen something else by then. */
  const alone =
    <Given extends unknown[]>(act: (...given: Given) => Promise<void>) =>
    async (...given: Given): Promise<void> => {
      if (state.busy) return;
      set({ busy: true });
      try {
        await act(...given);
      } finally {
        set({ busy: false });
      }
    };
  const mine = (): readonly TabState[] => state.tabs.filter(({ mode }) => mode === state.mode.name);
  const until = async (met: () => boolean, ms: number): Promise<boolean> => {
    for (let waited = 0; waited < ms && !met(); waited += 20) await new Promise((go) => setTimeout(go, 20));
    return met();
  };

  addEventListener('pagehide', putBack);
  // Out of the back/forward cache: the server is no longer what this page has made of it.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

  const line = openLine((message) => {
    if (message.type === 'state') {
      const others = state.tabs.filter(({ tab }) => tab !== message.state.tab);
      const tabs = [...others, message.state].sort((a, b) => a.tab.localeCompare(b.tab));
      if (JSON.stringify(tabs) !== JSON.stringify(state.tabs)) set({ tabs });
    }
    if (message.type === 'bye') set({ tabs: state.tabs.filter(({ tab }) => tab !== message.tab) });
    if (message.type === 'done' && message.round === round) answers.set(message.tab, message);
  });

  async function look(): Promise<void> {
    const log = await readLog();
    logins = log.logins;
    const { mode, scores } = state;
    const waits = scores[mode.name]?.waits ?? [];
    const score = scoreOf(log.requests, Math.max(0, logins - firstLogin), waits);
    set({ requests: log.requests, offset: log.now - Date.now(), scores: { ...scores, [mode.name]: score } });
  }

  async function expire(): Promise<void> {
    const present = mine();
    if (present.length === 0) return;
    const version = Math.max(...present.map((tab) => tab.version));
    const lastSeen = state.requests.at(-1)?.id ?? 0;
    answers = new Map();
    line.post({ type: 'expire', mode: state.mode.name, round: ++round, version });
    await until(() => mine().every(({ tab }) => answers.has(tab)), ROUND_MS);
    const got = [...answers.values()];
    const { mode, scores } = state;
    const score = scores[mode.name] ?? noScore;
    if (got.length > 0) {
      const wait = got.every(({ outcome }) => outcome === 'token')
        ? Math.max(...got.map(({ ms }) => ms))
        : null;
      const waits = [...score.waits, wait].slice(-KEPT_WAITS);
      set({ scores: { ...scores, [mode.name]: { ...score, waits } } });
    }
    if (got.some(({ outcome }) => outcome === 'lost')) set({ lost: true });
    await look();
    set({ news: tell(state.requests.filter(({ id }) => id > lastSeen)) });
  }

  function tell(requests: readonly LabRequest[]): string {
    const refused = requests.filter((request) => outcomeOf(request) === 'conflict').length;
    return [
      requests.length === 1 ? 'One token request' : `${requests.length} token requests`,
      refused === 0 ? 'nobody was refused' : `${refused} refused`,
      state.lost ? 'signed out' : `now at version ${Math.max(...mine().map((tab) => tab.version))}`,
    ].join(', ');
  }

  async function signInAgain(): Promise<void> {
    await look();
    const lost = logins;
    const tab = mine().find(({ status }) => status === 'lost') ?? mine()[0];
    if (tab === undefined) return;
    line.post({ type: 'sign-in', tab: tab.tab, lost });
    await until(() => mine().every(({ login }) => login > lost), 5_000);
    set({ lost: false });
    await look();
  }

  async function setMode(mode: Mode): Promise<void> {
    set({ mode, frames: [], tabs: [], requests: [], lost: false, news: '' });
    await prepare(mode);
    opened = 0;
    set({ frames: Array.from({ length: FIRST_TABS }, nameATab) });
    await until(() => mine().length >= FIRST_TABS, OPENING_MS);
    await look();
    firstLogin = logins + 1;
    await signInAgain();
    set({ scores: { ...state.scores, [mode.name]: noScore } });
    await look();
  }

  function remove(tab: string): void {
    if (!state.frames.includes(tab)) line.post({ type: 'close', tab });
    set({
      frames: state.frames.filter((frame) => frame !== tab),
      tabs: state.tabs.filter((other) => other.tab !== tab),
    });
  }

  const loseMidRefresh = async (): Promise<void> => {
    // The server decides, and its answer takes so long that the tab is gone when it comes.
    await addFault({ answerDelayMs: 2_000 });
    const sent = state.requests.length;
    const round = expire();
    await until(() => state.requests.length > sent, 3_000);
    const sender = state.requests.at(-1)?.debug['x_tab'];
    if (sender !== undefined) remove(sender);
    await round;
  };

  const trouble = async (kind: Trouble): Promise<void> => {
    if (kind === 'slow') await addFault({ answerDelayMs: 2_000 });
    if (kind === '503') await addFault({ instead: { status: 503 } });
    if (kind === 'offline') await addFault({ instead: 'reset', times: 3 });
    await expire();
  };

  const run = async (rounds: number): Promise<void> => {
    await clearFaults();
    set({ running: { done: 0, of: rounds } });
    for (let done = 1; done <= rounds && state.running; done++) {
      if (state.lost) await signInAgain();
      await expire();
      if (state.running) set({ running: { done, of: rounds } });
    }
    set({ running: undefined });
  };

  const expireAlone = alone(expire);
  setInterval(() => {
    if (document.visibilityState !== 'visible') return;
    look().catch(() => {});
    const over = mine().some(({ status, expiresAt }) => status === 'fresh' && expiresAt < Date.now());
    if (over && !state.lost) void expireAlone();
  }, 500);

  return {
    getState: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    setMode: alone(setMode),
    addTab: alone(async () => set({ frames: [...state.frames, nameATab()] })),
    openRealTab: alone(async () => void window.open(tabUrl(nameATab(), state.mode), '_blank')),
    closeLeader: alone(async () => {
      const tab = mine().find(({ leader }) => leader) ?? mine()[0];
      if (tab) remove(tab.tab);
    }),
    loseMidRefresh: alone(loseMidRefresh),
    trouble: alone(trouble),
    expire: expireAlone,
    run: alone(run),
    stop: () => set({ running: undefined }),
    signInAgain: alone(signInAgain),
  };
}

export function tabUrl(tab: string, mode: Mode): string {
  return `/lab-tab.html?${new URLSearchParams({ tab, mode: mode.name })}`;
}
