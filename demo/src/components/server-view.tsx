import type { ServerLog, ServerRequest } from '../server-log.js';

const SHOWN = 60;

/** Every refresh the authorization server received, from all tabs together: the proof. */
export function ServerView({ log }: { log: ServerLog | undefined }) {
  const refreshes = log?.refreshes ?? [];
  const conflicts = refreshes.filter((request) => request.decided?.error !== undefined).length;
  const byWorker = refreshes.filter(isByWorker).length;
  const outcomes = new Set(refreshes.map(outcomeOf));
  return (
    <section className="card server-view" aria-labelledby="server-view">
      <h2 id="server-view">What the authorization server saw of all tabs</h2>
      <p className="figures">
        <span>
          <b data-testid="server-requests">{refreshes.length}</b> refresh requests since the sign-in
        </span>
        <span>
          <b data-testid="by-worker">{byWorker}</b> by the refresh worker
        </span>
        <span data-bad={conflicts > 0 || undefined}>
          <b>{conflicts}</b> refused
        </span>
      </p>
      <ul className="dots" aria-label="Refresh requests, oldest first">
        {refreshes.slice(-SHOWN).map((request) => (
          <li key={request.id} data-outcome={outcomeOf(request)} title={describe(request)}>
            <span className="visually-hidden">{describe(request)}</span>
          </li>
        ))}
      </ul>
      {outcomes.size > 1 && (
        <ul className="dots legend" aria-hidden="true">
          {[...outcomes].map((outcome) => (
            <li key={outcome} data-outcome={outcome}>
              {MEANING[outcome]}
            </li>
          ))}
        </ul>
      )}
      <p className="hint">
        Refresh tokens work once here, and a replay ends the whole session
        {log === undefined ? '' : `; access tokens live ${log.accessTokenTtl} seconds`}.
      </p>
    </section>
  );
}

type Outcome = 'good' | 'bad' | 'lost' | 'open';

const MEANING: Record<Outcome, string> = {
  good: 'a new pair',
  bad: 'refused',
  lost: 'no useful answer',
  open: 'on its way',
};

function outcomeOf({ decided, sent }: ServerRequest): Outcome {
  if (decided?.error !== undefined) return 'bad';
  if (typeof sent === 'object' && sent.status === 200) return 'good';
  return sent === undefined ? 'open' : 'lost';
}

function isByWorker({ debug }: ServerRequest): boolean {
  return debug['x_by'] === 'worker';
}

function describe(request: ServerRequest): string {
  const { sent, decided, faults } = request;
  const by = isByWorker(request) ? 'by the worker' : 'by a tab';
  const answer = typeof sent === 'object' ? `answered ${sent.status}` : (sent ?? 'not answered yet');
  const rotated =
    decided?.status === 200 && !(typeof sent === 'object' && sent.status === 200) ? ', had rotated' : '';
  return [`Request ${request.id}, ${by}: ${answer}${rotated}`, ...faults].join(', ');
}
