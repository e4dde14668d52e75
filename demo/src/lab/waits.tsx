import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { modes } from '../rivals/modes.js';
import { medianWait, noScore, type Score } from './score.js';

const HEIGHT = 190;
/** Rounds. */
const SHOWN = 60;
/** By name of the way, in lab.css; told apart by their dashes as well. */
const DASHES = [[], [6, 4], [4, 2], [2, 3], [8, 3, 2, 3], [], [10, 4]];

const dark = matchMedia('(prefers-color-scheme: dark)');
const onThemeChange = (listener: () => void) => {
  dark.addEventListener('change', listener);
  return () => dark.removeEventListener('change', listener);
};

interface Line {
  name: string;
  /** Among the ways. */
  n: number;
  waits: Score['waits'];
}

interface WaitsProps {
  scores: Readonly<Record<string, Score>>;
  current: string;
}

/** How long the slowest tab waited for its token, round by round: one line per way that was tried. */
export function Waits({ scores, current }: WaitsProps) {
  const place = useRef<HTMLDivElement>(null);
  const theme = useSyncExternalStore(onThemeChange, () => dark.matches);
  const width = useWidth(place);
  const lines: Line[] = modes
    .map(({ name }, n) => ({ name, n, waits: (scores[name] ?? noScore).waits.slice(-SHOWN) }))
    .filter(({ waits }) => waits.length > 0);
  // The scores are new objects twice a second; the drawing changes once per round.
  const drawn = JSON.stringify([lines, current, theme, width]);
  useEffect(() => {
    if (place.current === null || lines.length === 0 || width === 0) return undefined;
    const chart = draw(place.current, lines, current, width);
    return () => chart.destroy();
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [drawn]);

  const said = lines.map(({ name }) => `${name}: ${medianWait(scores[name] ?? noScore)}`).join(', ');
  return (
    <section className="card waits" aria-labelledby="waits">
      <h2 id="waits">Until every tab had a token, round by round</h2>
      {lines.length === 0 && <p className="hint">Nothing has expired yet.</p>}
      <div ref={place} className="chart" role="img" aria-label={`Medians: ${said || 'none yet'}`} />
      <ul className="legend" aria-hidden="true">
        {lines.map(({ name, n }) => (
          <li key={name} style={{ '--way': `var(--way-${n})` } as React.CSSProperties}>
            {name}
          </li>
        ))}
      </ul>
    </section>
  );
}

function useWidth(place: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const sizes = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    if (place.current) sizes.observe(place.current);
    return () => sizes.disconnect();
  }, [place]);
  return width;
}

function draw(place: HTMLElement, lines: readonly Line[], current: string, width: number): UPlot {
  const colours = getComputedStyle(place);
  const colour = (name: string) => colours.getPropertyValue(name);
  const rounds = Math.max(2, ...lines.map(({ waits }) => waits.length));
  const numbers = Array.from({ length: rounds }, (_, n) => n);
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return new UPlot(
    {
      width,
      height: HEIGHT,
      scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, Math.max(250, max * 1.1)] } },
      legend: { show: false },
      cursor: { show: false },
      axes: [
        { ...axis, size: 30, grid: { show: false }, incrs: [1, 2, 5, 10, 20] },
        { ...axis, size: 62, values: (_plot, ticks) => ticks.map((ms) => `${ms} ms`) },
      ],
      series: [
        {},
        ...lines.map(({ name, n }) => ({
          stroke: colour(`--way-${n}`),
          width: name === current ? 3 : 1.5,
          dash: DASHES[n] ?? [],
          points: { show: true, size: name === current ? 7 : 4, fill: colour(`--way-${n}`) },
        })),
      ],
    },
    [numbers.map((n) => n + 1), ...lines.map(({ waits }) => numbers.map((n) => waits[n] ?? null))],
    place,
  );
}
