// The judge is what a campaign stands on: each violation is shown to it once.
import { expect, test } from 'vitest';
import type { TokenRequestEntry } from '../../demo/server/token-endpoint-log.js';
import { judge } from './judge.js';
import type { TabReport } from './page/main.js';
import type { Evidence } from './round.js';

const T = 2_000;
let requests = 0;

function request(by: string, spent: string, more: Partial<TokenRequestEntry> = {}): TokenRequestEntry {
  const at = ++requests * 100;
  return {
    id: requests,
    endpoint: 'token',
    grantType: 'refresh_token',
    receivedAt: at,
    answeredAt: at + 50,
    spent,
    decided: { at, status: 200, issued: `${spent}+` },
    sent: { status: 200 },
    faults: [],
    debug: { x_tab: by },
    ...more,
  };
}

const refused = { decided: { at: 0, status: 400, error: 'invalid_grant' }, sent: { status: 400 } } as const;

function tab(
  name: string,
  more: Partial<TabReport['snapshot']> = {},
  call: Partial<TabReport['calls'][0]> = {},
): TabReport {
  return {
    tab: name,
    calls: [{ subject: 'alice', given: 'alice', limitMs: 8_000, stoodStill: false, ms: 30, ...call }],
    waits: [30],
    snapshot: {
      status: 'signed-in',
      version: 2,
      sessionId: 's',
      subject: 'alice',
      storage: 'indexeddb',
      role: 'leader',
      ...more,
    },
    stills: [],
    stored: { version: 2, sessionId: 's', refreshToken: 'a+' },
  };
}

/** A tab was closed while the worker waited for the answer, and nothing came of it. */
function peace(more: Partial<Evidence> = {}): Evidence {
  return {
    plan: {
      round: 0,
      tabs: 3,
      asker: 0,
      allAsk: true,
      moment: 'server-committed',
      strikes: [{ kind: 'close', victim: 'asker' }],
      dwellMs: 0,
    },
    struck: [{ kind: 'close', who: ['tab-1'], proof: 'closed' }],
    missed: [],
    entries: [request('worker', 'a')],
    notes: [],
    reports: [tab('tab-2'), tab('tab-3')],
    ends: ['token', 'token'],
    survivors: ['token', 'token'],
    locks: [],
    complaints: [],
    ms: 900,
    ...more,
  };
}

const told = {
  by: 'tab-2',
  what: 'reauth-required',
  at: 0,
  sessionId: 's',
  version: 1,
  reason: 'response_lost',
};
const lost = {
  reports: [tab('tab-2', { status: 'reauth-required', version: 1 })],
  ends: ['ERR_REAUTH_REQUIRED'],
  survivors: ['ERR_REAUTH_REQUIRED'],
  notes: [told],
};
const verdict = (more: Partial<Evidence> = {}, mode: 'page' | 'worker' = 'worker') =>
  judge(peace(more), mode, 'strict', T);

test('peace', () => {
  expect(verdict()).toMatchObject({ violations: [], spentTwice: 0, withoutToken: 30 });
});

test('a loss is excused only if its answer reached nobody', () => {
  const entries = [request('tab-1', 'a'), request('tab-2', 'a', refused)];
  const byPage = verdict({ ...lost, entries }, 'page');
  expect(byPage).toMatchObject({
    violations: [],
    lost: 'response_lost',
    because: 'answer reached nobody',
    spentTwice: 1,
    revoked: 1,
  });
  // The worker was struck by nothing.
  const byWorker = verdict({ ...lost, entries: [request('worker', 'a'), request('worker', 'a', refused)] });
  expect(byWorker.violations.join()).toMatch(
    /I1: .*which was answered.*spent twice.*I2: the session was lost/,
  );
});

test('a tab may hear late that its session was replaced', () => {
  const struck = [{ kind: 'sign-in' as const, who: ['tab-1'], proof: 'bob signed in' }];
  expect(verdict({ struck, survivors: ['ERR_SIGNED_OUT', 'token'] }).violations).toEqual([]);
  expect(verdict({ struck, ends: ['ERR_SIGNED_OUT'] }).violations).toEqual([
    'I7: a tab ended with ERR_SIGNED_OUT',
  ]);
  expect(verdict({ survivors: ['ERR_SIGNED_OUT'] }).violations).toEqual([
    'I7: a tab ended with ERR_SIGNED_OUT',
  ]);
});

test("a duplicate's answer is heard on a standing connection only", () => {
  const again = (sent: TokenRequestEntry['sent']) => [
    request('tab-3', 'a', { sent, decided: undefined } as object),
    request('tab-3', 'a', { faults: ['delivered again'] }),
    request('tab-2', 'a', refused),
  ];
  expect(verdict({ ...lost, entries: again('reset') }, 'page').violations.join()).not.toContain('I1');
  expect(verdict({ ...lost, entries: again({ status: 200 }) }, 'page').violations.join()).toContain('I1');
});

const violations: [what: string, more: Partial<Evidence>][] = [
  [
    'which was on its way',
    {
      entries: [
        request('worker', 'a', { answeredAt: undefined, sent: undefined } as object),
        request('worker', 'a', refused),
      ],
    },
  ],
  ['2 new pairs where one was needed', { entries: [request('worker', 'a'), request('worker', 'b')] }],
  ['announced 2 times', { ...lost, notes: [told, { ...told, by: 'tab-3' }] }],
  ['nobody was told', { ...lost, notes: [] }],
  ['never settled', { reports: [tab('tab-2', {}, { ms: undefined } as object)] }],
  ['took 20000 ms', { reports: [tab('tab-2', {}, { ms: 20_000, rangMs: 8_010 })] }],
  ['given a token of bob', { reports: [tab('tab-2', {}, { given: 'bob' })] }],
  ['ended with ERR_SIGNED_OUT', { ends: ['ERR_SIGNED_OUT'] }],
  ['the tabs differ', { reports: [tab('tab-2'), tab('tab-3', { version: 3 })] }],
  ['the store has version 2', { reports: [tab('tab-2', { version: 3 })] }],
  ['the store is spent', { entries: [request('worker', 'a+')] }],
  ['these locks are held', { locks: ['refresh'] }],
  ['uncaught', { complaints: ['tab-2: TypeError'] }],
];

for (const [what, more] of violations) {
  test(`seen: ${what}`, () => {
    expect(verdict(more).violations.join()).toContain(what);
  });
}
