import type { Snapshot } from 'one-refresh';
import { nameOf } from '../events.js';
import type { TabName } from '../tab-name.js';
import { Countdown } from './countdown.js';
import { Crown } from './crown.js';

interface ThisTabProps {
  snapshot: Snapshot;
  tab: TabName;
  lifeMs: number;
}

const activities: Record<Snapshot['refreshStatus'], string> = {
  idle: 'Nothing to do',
  refreshing: 'Refreshing…',
  paused: 'Waiting to try again',
};

export function ThisTab({ snapshot, tab, lifeMs }: ThisTabProps) {
  const leads = snapshot.role === 'leader';
  return (
    <section className="card this-tab" data-leader={leads || undefined} aria-labelledby="this-tab">
      <header>
        <span className="chip" style={{ '--hue': tab.hue } as React.CSSProperties} aria-hidden="true" />
        <h2 id="this-tab">{tab.name}</h2>
        <p className="role" role="status" data-testid="role">
          {leads ? (
            <>
              <Crown /> Leader
            </>
          ) : (
            'Follower'
          )}
        </p>
      </header>
      <Countdown version={snapshot.version} expiresAt={snapshot.expiresAt} lifeMs={lifeMs} />
      <dl>
        <div>
          <dt>Signed in as</dt>
          <dd data-testid="subject">{nameOf(snapshot.subject)}</dd>
        </div>
        <div>
          <dt>Right now</dt>
          <dd data-testid="activity" data-status={snapshot.refreshStatus}>
            {activities[snapshot.refreshStatus]}
          </dd>
        </div>
        <div>
          <dt>Kept in</dt>
          <dd>{snapshot.storage === 'indexeddb' ? 'IndexedDB' : 'memory only'}</dd>
        </div>
      </dl>
    </section>
  );
}
