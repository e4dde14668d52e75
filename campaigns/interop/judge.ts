// The rules for every server, and each server's known behaviour.
import type { Recipe } from '../../test/interop/servers/recipes.js';
import type { DuplicateFigures } from './duplicates.js';
import type { Figures, Step } from './scenario.js';

export type Measured = Figures & { readonly duplicates?: DuplicateFigures };

/** Each problem as one sentence; none if the run is as it has to be. */
export function judge({ known }: Pick<Recipe, 'known'>, measured: Measured): string[] {
  const { expiries, requests, irregular, replay, lostAnswer, deadToken, signOut, errors, duplicates } =
    measured;
  const problems: string[] = [];
  const must = (holds: boolean, problem: string): void => void (holds || problems.push(problem));

  must(requests === expiries, `${requests} requests at ${expiries} expiries`);
  must(irregular === 0, `${irregular} refreshes were refused or spent an outdated token`);
  must((replay.status === 200) === known.replayAnswered, `the replay was answered ${replay.status}`);
  must(replay.fate === known.afterReplay, `after the replay: ${replay.fate}`);
  must(lostAnswer.fate === known.afterLostAnswer, `after the lost answer: ${lostAnswer.fate}`);
  must(
    ['refresh_rejected', 'refresh_unanswered'].includes(deadToken.fate),
    `after the dead token: ${deadToken.fate}`,
  );
  const steps: [string, Step, repetitions: number][] = [
    ['the replay', replay, 0],
    ['the lost answer', lostAnswer, 1],
    ['the dead token', deadToken, 0],
  ];
  for (const [name, { fate, requests, asked }, repetitions] of steps) {
    must(asked === (fate === 'goes on' ? 0 : 1), `${asked} tabs were asked after ${name}`);
    // An answer that says nothing is believed when it comes for the third time.
    const expected = repetitions + (fate === 'refresh_unanswered' ? 3 : 1);
    must(requests === expected, `${requests} requests after ${name}, not ${expected}`);
  }
  must(deadToken.later === 0, `${deadToken.later} requests after the end of the session`);
  must(!signOut.revoked || signOut.status !== 200, 'the refresh token works after the sign-out');
  problems.push(...errors.map((error) => `not caught: ${error}`));

  if (duplicates) {
    const { answered, pairs, spends, goesOn } = duplicates.guarded;
    must(answered === 5, `${5 - answered} of five duplicates were refused behind the middleware`);
    must(pairs === 1, `five duplicates got ${pairs} pairs behind the middleware`);
    must(spends === 1, `${spends} of five duplicates reached the server behind the middleware`);
    must(goesOn, 'the pair of the middleware does not work');
  }
  return problems;
}
