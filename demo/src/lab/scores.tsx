import { modes } from '../rivals/modes.js';
import { noScore, type Score } from './score.js';

const SHOWN = 40;

/** What each way came to, since it was last chosen. */
export function Scores({ scores, current }: { scores: Readonly<Record<string, Score>>; current: string }) {
  return (
    <section className="card scores" aria-labelledby="scores">
      <h2 id="scores">Side by side</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Comparison">
        <table>
          <thead>
            <tr>
              <th scope="col">Way</th>
              <th scope="col">Expiries</th>
              <th scope="col">Requests per expiry</th>
              <th scope="col">Conflict rate</th>
              <th scope="col">Forced log-ins</th>
              <th scope="col">Last waits</th>
            </tr>
          </thead>
          <tbody>
            {modes.map(({ name }) => (
              <Row key={name} name={name} score={scores[name] ?? noScore} current={name === current} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ name, score, current }: { name: string; score: Score; current: boolean }) {
  const { expiries, requests, conflicts, forcedLogins, waits } = score;
  const known = expiries > 0;
  return (
    <tr aria-current={current || undefined} data-testid={`score ${name}`}>
      <th scope="row">{name}</th>
      <td>{expiries}</td>
      <td>{known ? (requests / expiries).toFixed(3) : '–'}</td>
      <td data-bad={conflicts > 0 || undefined}>
        {known ? `${((conflicts / requests) * 100).toFixed(1)} %` : '–'}
      </td>
      <td data-bad={forcedLogins > 0 || undefined}>{known ? forcedLogins : '–'}</td>
      <td>
        <Waits waits={waits} />
      </td>
    </tr>
  );
}

function Waits({ waits }: { waits: readonly number[] }) {
  const last = waits.slice(-SHOWN);
  if (last.length === 0) return '–';
  const top = Math.max(250, ...last);
  const points = last.map((ms, n) => `${(SHOWN - last.length + n) * 3},${24 - (ms / top) * 22}`).join(' ');
  const now = `${Math.round(last.at(-1) ?? 0)} ms`;
  return (
    <span className="waits">
      <svg viewBox="0 0 120 26" width="120" height="26" aria-hidden="true">
        <polyline points={points} />
      </svg>
      {now}
    </span>
  );
}
