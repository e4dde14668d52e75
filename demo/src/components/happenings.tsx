import { useSyncExternalStore } from 'react';
import type { Diary } from '../events.js';

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

export function Happenings({ diary }: { diary: Diary }) {
  const happenings = useSyncExternalStore(diary.subscribe, diary.getSnapshot);
  return (
    <section className="card happenings" aria-labelledby="happenings">
      <h2 id="happenings">What happened in this tab</h2>
      {happenings.length === 0 ? (
        <p className="hint">Nothing yet. A tab that has a fresh token has nothing to do.</p>
      ) : (
        // A list that scrolls must be reachable by keyboard.
        <ol tabIndex={0} aria-label="Events, newest first" data-testid="events">
          {happenings.map(({ id, at, kind, text, why }) => (
            <li key={id} data-kind={kind}>
              <time dateTime={new Date(at).toISOString()}>{time.format(at)}</time>
              <span>
                {text}
                {why !== undefined && <small>{why}</small>}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
