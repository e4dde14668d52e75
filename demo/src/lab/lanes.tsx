import { useSyncExternalStore } from 'react';
import { outcomeOf, type Outcome } from './score.js';
import type { LabRequest } from './server.js';

const LANE = 26;
const LEFT = 76;
/** Of a request that is over at once. */
const LEAST = 7;
/** Of the drawing, in its own units, and how much of the past it shows. */
const WIDE = { width: 900, seconds: 12 };
const NARROW = { width: 340, seconds: 6 };

const narrowScreen = matchMedia('(max-width: 640px)');
const onScreenChange = (listener: () => void) => {
  narrowScreen.addEventListener('change', listener);
  return () => narrowScreen.removeEventListener('change', listener);
};

interface LanesProps {
  requests: readonly LabRequest[];
  tabs: readonly string[];
  /** By the server's clock. */
  now: number;
}

const MEANING: Record<Outcome, string> = {
  good: 'a new pair',
  replayed: 'the same pair again',
  conflict: 'conflict',
  trouble: 'no useful answer',
  open: 'on its way',
};

/** The token requests of the last seconds as the server saw them, one lane per tab. */
export function Lanes({ requests, tabs, now }: LanesProps) {
  const narrow = useSyncExternalStore(onScreenChange, () => narrowScreen.matches);
  const { width, seconds } = narrow ? NARROW : WIDE;
  const start = now - seconds * 1000;
  const recent = requests.filter(({ receivedAt, answeredAt }) => (answeredAt ?? receivedAt) > start);
  const lanes = [...new Set([...tabs, ...recent.map(({ debug }) => debug['x_tab'] ?? '?')])].sort();
  const x = (at: number) =>
    LEFT + (Math.min(Math.max(0, at - start), seconds * 1000) / (seconds * 1000)) * (width - LEFT - 8);
  const lane = (request: LabRequest) => lanes.indexOf(request.debug['x_tab'] ?? '?');
  const rivals = [...new Set(recent.map(({ spent }) => spent))]
    .map((token) => recent.filter(({ spent }) => spent === token))
    .filter(({ length }) => length > 1);
  const count = (outcome: Outcome) => recent.filter((request) => outcomeOf(request) === outcome).length;
  return (
    <section className="card lanes" aria-labelledby="lanes">
      <h2 id="lanes">Token requests of the last {seconds} seconds, as the server saw them</h2>
      <p className="hint">Those that sent the same refresh token stand in one field.</p>
      <div className="scroll" tabIndex={0} role="group" aria-label="Lanes, one per tab">
        <svg
          viewBox={`0 0 ${width} ${Math.max(1, lanes.length) * LANE + 8}`}
          role="img"
          aria-labelledby="lanes-said"
        >
          {lanes.map((name, n) => (
            <g key={name}>
              <text x={LEFT - 10} y={n * LANE + 19} textAnchor="end">
                {name}
              </text>
              <line x1={LEFT} x2={width} y1={n * LANE + 15} y2={n * LANE + 15} />
            </g>
          ))}
          {rivals.map((requests) => {
            const begins = x(Math.min(...requests.map(({ receivedAt }) => receivedAt)));
            const ends = x(Math.max(...requests.map(({ answeredAt }) => answeredAt ?? now)));
            const [top, bottom] = [Math.min(...requests.map(lane)), Math.max(...requests.map(lane))];
            return (
              <rect
                key={requests[0]?.id}
                className="same-token"
                data-outcome={requests.map(outcomeOf).includes('conflict') ? 'conflict' : 'replayed'}
                x={begins - 4}
                y={top * LANE + 3}
                width={Math.max(LEAST, ends - begins) + 8}
                height={(bottom - top) * LANE + 24}
                rx={7}
              />
            );
          })}
          {recent.map((request) => (
            <rect
              key={request.id}
              data-outcome={outcomeOf(request)}
              x={x(request.receivedAt)}
              y={lane(request) * LANE + 7}
              width={Math.max(LEAST, x(request.answeredAt ?? now) - x(request.receivedAt))}
              height={16}
              rx={4}
            />
          ))}
        </svg>
      </div>
      <ul className="legend" id="lanes-said" aria-label="Meaning of the colours, and how many there are">
        {(Object.keys(MEANING) as Outcome[]).map((outcome) => (
          <li key={outcome} data-outcome={outcome}>
            {MEANING[outcome]}: {count(outcome)}
          </li>
        ))}
      </ul>
    </section>
  );
}
