import type { Lab, LabState } from './lab.js';

const ROUNDS = 100;

interface ControlsProps {
  lab: Lab;
  state: LabState;
  first: React.Ref<HTMLButtonElement>;
}

/**
 * All that can be done to the tabs. A button that has to wait says so and does nothing (see `Lab`); it is not taken away from under the
 * keyboard.
 */
export function Controls({ lab, state: { busy, running, mode, news }, first }: ControlsProps) {
  const others: [label: string, act: () => Promise<void>][] = [
    ['Add a tab', lab.addTab],
    ['Open a real tab', lab.openRealTab],
    [mode.client === 'library' ? 'Close the leader' : 'Close a tab', lab.closeLeader],
    ['Lose a tab mid-refresh', lab.loseMidRefresh],
    ['Slow answer', () => lab.trouble('slow')],
    ['Answer 503', () => lab.trouble('503')],
    ['Cut the line', () => lab.trouble('offline')],
  ];
  return (
    <section className="card controls" aria-label="Controls">
      <div className="buttons">
        <button
          type="button"
          ref={first}
          className="primary"
          aria-disabled={busy}
          onClick={() => void lab.expire()}
        >
          Expire now
        </button>
        {running ? (
          <button type="button" onClick={lab.stop}>
            Stop after {running.done} of {running.of}
          </button>
        ) : (
          <button type="button" aria-disabled={busy} onClick={() => void lab.run(ROUNDS)}>
            Run {ROUNDS} expiries
          </button>
        )}
        {others.map(([label, act]) => (
          <button key={label} type="button" aria-disabled={busy} onClick={() => void act()}>
            {label}
          </button>
        ))}
      </div>
      {/* A hundred rounds are not read out one by one. */}
      <p className="news hint" role="status" aria-live={running ? 'off' : 'polite'}>
        {news || 'Nothing has expired yet.'}
      </p>
    </section>
  );
}
