// The judge is what `npm run interop` stands on: each violation is shown to it once.
import { expect, test } from 'vitest';
import { judge, type Measured } from './judge.js';

const known = {
  replayAnswered: false,
  afterReplay: 'refresh_rejected',
  afterLostAnswer: 'response_lost',
} as const;
const sound: Measured = {
  expiries: 5,
  requests: 5,
  irregular: 0,
  replay: { status: 400, error: 'invalid_grant', requests: 1, fate: 'refresh_rejected', asked: 1 },
  lostAnswer: { requests: 2, fate: 'response_lost', asked: 1 },
  deadToken: {
    how: 'revoked',
    answer: { status: 400, error: 'invalid_grant' },
    requests: 1,
    fate: 'refresh_rejected',
    asked: 1,
    later: 0,
  },
  signOut: { status: 400, error: 'invalid_grant', revoked: true },
  errors: [],
  duplicates: {
    bare: { answered: 1, pairs: 1, spends: 5, goesOn: false },
    guarded: { answered: 5, pairs: 1, spends: 1, goesOn: true },
  },
};
const guarded = sound.duplicates!.guarded;
const withGuarded = (change: Partial<typeof guarded>): Partial<Measured> => ({
  duplicates: { bare: sound.duplicates!.bare, guarded: { ...guarded, ...change } },
});

test('accepts a sound run', () => {
  expect(judge({ known }, sound)).toEqual([]);
});

test('accepts three requests for a token refused without a word', () => {
  const deadToken = { ...sound.deadToken, fate: 'refresh_unanswered', requests: 3 };
  expect(judge({ known }, { ...sound, deadToken })).toEqual([]);
});

test.each<[string, Partial<Measured>]>([
  ['6 requests at 5 expiries', { requests: 6 }],
  ['refused or spent an outdated token', { irregular: 1 }],
  ['the replay was answered 200', { replay: { ...sound.replay, status: 200 } }],
  ['after the replay: goes on', { replay: { ...sound.replay, fate: 'goes on', asked: 0 } }],
  ['2 tabs were asked after the replay', { replay: { ...sound.replay, asked: 2 } }],
  [
    'after the lost answer: refresh_rejected',
    { lostAnswer: { ...sound.lostAnswer, fate: 'refresh_rejected' } },
  ],
  ['3 requests after the lost answer', { lostAnswer: { ...sound.lostAnswer, requests: 3 } }],
  ['0 tabs were asked after the lost answer', { lostAnswer: { ...sound.lostAnswer, asked: 0 } }],
  ['after the dead token: goes on', { deadToken: { ...sound.deadToken, fate: 'goes on', asked: 0 } }],
  ['10 tabs were asked after the dead token', { deadToken: { ...sound.deadToken, asked: 10 } }],
  ['1 requests after the end of the session', { deadToken: { ...sound.deadToken, later: 1 } }],
  ['the refresh token works after the sign-out', { signOut: { status: 200, revoked: true } }],
  ['not caught: TypeError', { errors: ['TypeError'] }],
  ['1 of five duplicates were refused', withGuarded({ answered: 4 })],
  ['five duplicates got 2 pairs', withGuarded({ pairs: 2 })],
  ['2 of five duplicates reached the server', withGuarded({ spends: 2 })],
  ['the pair of the middleware does not work', withGuarded({ goesOn: false })],
])('notices: %s', (problem, change) => {
  expect(judge({ known }, { ...sound, ...change })).toEqual([expect.stringContaining(problem)]);
});
