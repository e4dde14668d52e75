import { useEffect, useRef, useSyncExternalStore } from 'react';
import { Crown } from '../components/crown.js';
import { modes } from '../rivals/modes.js';
import { useNow } from '../use-now.js';
import { ConflictList } from './conflict-list.js';
import { Controls } from './controls.js';
import { Figures } from './figures.js';
import type { Lab } from './lab.js';
import { Lanes } from './lanes.js';
import { noScore } from './score.js';
import { Scores } from './scores.js';
import { TabGrid } from './tab-grid.js';
import { Waits } from './waits.js';

export function LabPage({ lab }: { lab: Lab }) {
  const state = useSyncExternalStore(lab.subscribe, lab.getState);
  const now = useNow(250);
  const first = useRef<HTMLButtonElement>(null);
  const { mode, tabs, busy, running, lost } = state;
  const present = tabs.filter((tab) => tab.mode === mode.name);
  useEffect(() => void lab.setMode(lab.getState().mode), [lab]);

  return (
    <>
      <header className="top">
        <a className="logo" href="/">
          <Crown /> one-refresh
        </a>
        <p className="hint">{present.length} tabs, one login</p>
      </header>
      <main className="lab">
        <h1>The token war</h1>
        <p className="hint intro">
          Every tab below holds the same refresh token, and it works once. Choose how they come by a new one,
          then let it expire.
        </p>

        <fieldset className="modes" aria-disabled={busy}>
          <legend>Way to refresh</legend>
          {modes.map((way) => (
            <label key={way.name} data-own={way.client === 'library' || undefined}>
              <input
                type="radio"
                name="mode"
                checked={way.name === mode.name}
                onChange={() => void lab.setMode(way)}
              />
              {way.name}
            </label>
          ))}
        </fieldset>

        <Controls lab={lab} state={state} first={first} />

        <div role="alert" className="prompt-place">
          {lost && !running && (
            <div className="card prompt">
              <p>
                <b>You were signed out.</b> Two tabs sent the same refresh token, or an answer was lost, and
                the server ended the session.
              </p>
              <button
                type="button"
                className="primary"
                aria-disabled={busy}
                onClick={() => {
                  first.current?.focus();
                  void lab.signInAgain();
                }}
              >
                Sign in again
              </button>
            </div>
          )}
        </div>

        <Figures score={state.scores[mode.name] ?? noScore} mode={mode.name} />

        <TabGrid frames={state.frames} tabs={present} mode={mode} />

        <div className="halves">
          <div className="half">
            <Lanes requests={state.requests} tabs={present.map(({ tab }) => tab)} now={now + state.offset} />
            <Waits scores={state.scores} current={mode.name} />
          </div>
          <div className="half">
            <Scores scores={state.scores} current={mode.name} />
            <ConflictList requests={state.requests} mode={mode.name} />
          </div>
        </div>
      </main>
    </>
  );
}
