// The strikes of a round, with victim and moment: all of it follows from the seed and the number of the round.
import { seededRandom } from '../war/network.js';

/** The moments of a refresh, in their order. */
export const moments = [
  'before-send',
  'on-the-wire',
  'server-committed',
  'before-commit',
  'before-broadcast',
] as const;
export type Moment = (typeof moments)[number];

/** The ways to end, or stop, a tab. */
const deaths = ['close', 'reload', 'navigate', 'freeze', 'kill'] as const;
/** The ways to end, or remove, the refresh worker. */
const workerDeaths = ['worker-stopped', 'worker-killed', 'worker-unregistered'] as const;
const others = [
  'offline',
  'clock',
  'store-cleared',
  'store-fails',
  'new-tab',
  'sign-out',
  'sign-in',
] as const;
export type StrikeKind = (typeof deaths)[number] | (typeof workerDeaths)[number] | (typeof others)[number];

/** `asker`: the tab that asked; without a worker, the one that sends. */
export type Victim = 'asker' | 'other' | 'all';

export interface Strike {
  kind: StrikeKind;
  victim: Victim;
  /** How far a clock is put forward; back, if negative. */
  aheadMs?: number;
}

/** Faults on the way to the authorization server; each is proven by the server's log. */
export const wires = [
  'slow',
  'slow-answer',
  'hang',
  'answer-hangs',
  '5xx',
  '5xx-afterwards',
  '429',
  'drop',
  'answer-dropped',
  'duplicate',
] as const;
export type Wire = (typeof wires)[number];

export type Selection = 'dying' | 'worker' | 'all';
export type Mode = 'page' | 'worker';

export interface Plan {
  round: number;
  tabs: number;
  /** Which tab asks first. */
  asker: number;
  /** Whether all the others ask as well, or only when it is over. */
  allAsk: boolean;
  moment: Moment;
  strikes: Strike[];
  wire?: Wire;
  /** How long the refresh stands still after the strikes, milliseconds. */
  dwellMs: number;
}

/** So many rounds share a window: its tabs, its server and its worker. */
export const BLOCK = 10;

export function planOf(seed: number, round: number, selection: Selection, mode: Mode): Plan {
  const random = seededRandom(mix(seed, round + 1));
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const tabs = tabsOf(seed, Math.floor(round / BLOCK));
  const common = {
    round,
    tabs,
    asker: Math.floor(random() * tabs),
    allAsk: random() < 0.5,
    dwellMs: pick([0, 20, 100, 200]),
  };
  const grid = gridOf(selection, mode);
  if (grid) {
    // Every combination once, in an order of its own, before any comes again.
    const order = shuffled(grid, seededRandom(mix(seed, -1 - Math.floor(round / grid.length))));
    const [moment, strike] = order[round % grid.length]!;
    return { ...common, moment, strikes: [strike] };
  }
  const moment = pick(moments);
  const kinds = [...deaths, ...(mode === 'worker' ? workerDeaths : []), ...others].filter(
    (kind) => kind !== 'store-fails' || moment === 'before-send' || moment === 'before-commit',
  );
  const wire = random() < 0.5 ? pick(wires.filter((one) => isPossible(one, moment))) : undefined;
  const count = wire === undefined || random() < 0.6 ? pick([1, 1, 1, 2]) : 0;
  const strikes = Array.from({ length: count }, (): Strike => {
    const kind = pick(kinds);
    const victim = pick(['asker', 'asker', 'other', 'all'] as const);
    return kind === 'clock'
      ? { kind, victim, aheadMs: pick([-1, 1]) * pick([60_000, 86_400_000]) }
      : { kind, victim };
  });
  // Page loads come before the network goes, or there is none to be struck.
  strikes.sort((a, b) => Number(a.kind === 'offline') - Number(b.kind === 'offline'));
  return { ...common, moment, strikes, ...(wire && { wire }) };
}

function gridOf(selection: Selection, mode: Mode): [Moment, Strike][] | undefined {
  if (selection === 'all') return undefined;
  if (selection === 'worker' && mode === 'page') throw new Error('There is no worker in page mode');
  const strikes: Strike[] =
    selection === 'worker'
      ? workerDeaths.map((kind) => ({ kind, victim: 'all' }))
      : deaths.flatMap((kind) => (['asker', 'other', 'all'] as const).map((victim) => ({ kind, victim })));
  return moments.flatMap((moment) => strikes.map((strike): [Moment, Strike] => [moment, strike]));
}

/** Whether a refresh to which this happens comes to that moment. */
function isPossible(wire: Wire, moment: Moment): boolean {
  const at = moments.indexOf(moment);
  if (['slow', 'slow-answer', 'duplicate'].includes(wire)) return true;
  const isAfterwards = ['answer-hangs', '5xx-afterwards', 'answer-dropped'].includes(wire);
  return at <= moments.indexOf(isAfterwards ? 'server-committed' : 'on-the-wire');
}

/** 3 to 10; small ones more often, since tabs are what a round costs. */
function tabsOf(seed: number, block: number): number {
  const random = seededRandom(mix(seed, 1_000_003 * (block + 1)));
  return 3 + Math.floor(random() ** 3 * 8);
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

function mix(seed: number, salt: number): number {
  return Math.imul(seed ^ Math.imul(salt, 0x9e3779b1), 0x85ebca6b);
}
