import { outcomeOf } from './score.js';
import type { LabRequest } from './server.js';

const SHOWN = 30;
const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

/** The requests that were refused, newest first, to look at or to take away. No token is in them: the server's log has none. */
export function ConflictList({ requests, mode }: { requests: readonly LabRequest[]; mode: string }) {
  const conflicts = requests.filter((request) => outcomeOf(request) === 'conflict').reverse();
  const save = () => {
    const url = URL.createObjectURL(
      new Blob([JSON.stringify({ mode, conflicts }, null, 2)], { type: 'application/json' }),
    );
    const link = Object.assign(document.createElement('a'), { href: url, download: 'conflicts.json' });
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <section className="card conflicts" aria-labelledby="conflicts">
      <header>
        <h2 id="conflicts">Conflict log</h2>
        <button type="button" onClick={save}>
          Export as JSON
        </button>
      </header>
      {conflicts.length === 0 ? (
        <p className="hint">Nobody was refused.</p>
      ) : (
        <ol tabIndex={0} aria-label="Refused requests, newest first">
          {conflicts.slice(0, SHOWN).map(({ id, receivedAt, debug, sent }) => (
            <li key={id}>
              <time dateTime={new Date(receivedAt).toISOString()}>{time.format(receivedAt)}</time>
              <b>{debug['x_tab'] ?? 'a tab'}</b>
              <span>{typeof sent === 'object' ? sent.error : sent}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
