import { medianWait, percent, perExpiry, type Score } from './score.js';

/** How the present way is doing, in four figures. */
export function Figures({ score, mode }: { score: Score; mode: string }) {
  const { expiries, requests, conflicts, forcedLogins } = score;
  const judged = (bad: boolean) => (expiries === 0 ? undefined : bad ? 'bad' : 'good');
  return (
    <dl className="headline" aria-label={`So far, with ${mode}`}>
      <div data-judged={judged(conflicts > 0)}>
        <dt>Conflict rate</dt>
        <dd>{percent(conflicts, requests)}</dd>
      </div>
      <div data-judged={judged(forcedLogins > 0)}>
        <dt>Forced log-ins</dt>
        <dd>{expiries === 0 ? '–' : forcedLogins}</dd>
      </div>
      <div>
        <dt>Requests per expiry</dt>
        <dd>{perExpiry(score)}</dd>
      </div>
      <div>
        <dt>Until all have a token</dt>
        <dd>{medianWait(score)}</dd>
      </div>
    </dl>
  );
}
