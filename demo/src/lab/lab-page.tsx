import { useEffect, useState, useSyncExternalStore } from 'react';
import { Crown } from '../components/crown.js';
import { modes } from '../rivals/modes.js';
import { useNow } from '../use-now.js';
import { ConflictList } from './conflict-list.js';
import { tabUrl, type Lab } from './lab.js';
import { Lanes } from './lanes.js';
import { Scores } from './scores.js';

const ROUNDS = 100;

export function LabPage({ lab }: { lab: Lab }) {
  const state = useSyncExternalStore(lab.subscribe, lab.getState);
  const now = useNow(250);
  const [busy, setBusy] = useState(true);
  const { mode, running, tabs, lost } = state;

  const act = (action: () => Promise<void>) => () => {
    setBusy(true);
    void action().finally(() => setBusy(false));
  };
  useEffect(() => {
    void lab.setMode(lab.getState().mode).finally(() => setBusy(false));
  }, [lab]);

  const idle = busy || running !== undefined;
  return (
    <>
      <header className="top">
        <a className="logo" href="/">
          <Crown /> one-refresh
        </a>
        <p className="hint">{tabs.length} tabs, one login</p>
      </header>
      <main className="lab">
        <h1>The token war</h1>
        <p className="hint intro">
          Every tab below holds the same refresh token, and it works once. Choose how they come by a new one,
          then let it expire.
        </p>

        <fieldset className="modes" disabled={idle}>
          <legend>Way to refresh</legend>
          {modes.map((way) => (
            <label key={way.name} data-own={way.client === 'library' || undefined}>
              <input
                type="radio"
                name="mode"
                checked={way.name === mode.name}
                onChange={act(() => lab.setMode(way))}
              />
              {way.name}
            </label>
          ))}
        </fieldset>

        <section className="card controls" aria-label="Controls">
          <div className="buttons">
            <button type="button" className="primary" disabled={idle} onClick={act(lab.expire)}>
              Expire now
            </button>
            {running ? (
              <button type="button" onClick={lab.stop}>
                Stop after {running.done} of {running.of}
              </button>
            ) : (
              <button type="button" disabled={busy} onClick={() => void lab.run(ROUNDS)}>
                Run {ROUNDS} expiries
              </button>
            )}
            <button type="button" disabled={idle} onClick={lab.addTab}>
              Add a tab
            </button>
            <button type="button" disabled={idle} onClick={lab.openRealTab}>
              Open a real tab
            </button>
            <button type="button" disabled={idle} onClick={lab.closeLeader}>
              {mode.client === 'library' ? 'Close the leader' : 'Close a tab'}
            </button>
            <button type="button" disabled={idle} onClick={act(lab.loseMidRefresh)}>
              Lose a tab mid-refresh
            </button>
            <button type="button" disabled={idle} onClick={act(() => lab.trouble('slow'))}>
              Slow answer
            </button>
            <button type="button" disabled={idle} onClick={act(() => lab.trouble('503'))}>
              Answer 503
            </button>
            <button type="button" disabled={idle} onClick={act(() => lab.trouble('offline'))}>
              Cut the line
            </button>
          </div>
        </section>

        <div role="alert" className="prompt-place">
          {lost && !running && (
            <div className="card prompt">
              <p>
                <b>You were signed out.</b> Two tabs sent the same refresh token, or an answer was lost, and
                the server ended the session.
              </p>
              <button type="button" className="primary" disabled={busy} onClick={act(lab.signInAgain)}>
                Sign in again
              </button>
            </div>
          )}
        </div>

        <section aria-label="Tabs" className="frames">
          {state.frames.map((name) => (
            // Our own page of our own origin: a sandbox that allowed what it needs would keep nothing out.
            // oxlint-disable-next-line react/iframe-missing-sandbox
            <iframe key={`${mode.name} ${name}`} title={`Tab ${name}`} src={tabUrl(name, mode)} />
          ))}
        </section>

        <Lanes
          requests={state.requests}
          tabs={tabs.filter((tab) => tab.mode === mode.name).map(({ tab }) => tab)}
          now={now + state.offset}
        />
        <Scores scores={state.scores} current={mode.name} />
        <ConflictList requests={state.requests} mode={mode.name} />
      </main>
    </>
  );
}
