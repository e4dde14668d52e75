import { modes } from '../rivals/modes.js';
import { medianWait, noScore, percent, perExpiry, type Score } from './score.js';

/** The result of each way, since it was last chosen. */
export function Scores({ scores, current }: { scores: Readonly<Record<string, Score>>; current: string }) {
  return (
    <section className="card scores" aria-labelledby="scores">
      <h2 id="scores">Side by side</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Comparison">
        <table>
          <thead>
            <tr>
              <th scope="col">Way</th>
              <th scope="col">Conflicts</th>
              <th scope="col">Log-ins</th>
              <th scope="col">
                <abbr title="Token requests per expiry">Requests</abbr>
              </th>
              <th scope="col" className="roomy">
                Wait
              </th>
              <th scope="col" className="roomy">
                Expiries
              </th>
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
  const { expiries, requests, conflicts, forcedLogins } = score;
  return (
    <tr aria-current={current || undefined} data-testid={`score ${name}`}>
      <th scope="row">{name}</th>
      <td data-bad={conflicts > 0 || undefined}>{percent(conflicts, requests)}</td>
      <td data-bad={forcedLogins > 0 || undefined}>{expiries === 0 ? '–' : forcedLogins}</td>
      <td>{perExpiry(score)}</td>
      <td className="roomy">{medianWait(score)}</td>
      <td className="roomy">{expiries}</td>
    </tr>
  );
}
