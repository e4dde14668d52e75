import { runSchedule } from '../src/testing/run.js';
import type { Profile } from '../src/testing/plan.js';
Error.stackTraceLimit = 8;
const [seed = '1', n = '100', profile = 'no-faults', trace] = process.argv.slice(2);
const start = performance.now();
let steps = 0,
  bad = 0,
  expiries = 0;
const kinds: Record<string, number> = {};
const sizes: number[] = [];
const ex: number[] = [];
let current = 0;
process.on('unhandledRejection', (e) => {
  console.log('unhandled', current, e);
  process.exit(1);
});
for (let s = Number(seed); s < Number(seed) + Number(n); s++) {
  current = s;
  const r = await runSchedule(s, profile as Profile, { trace: trace === 't' });
  steps += r.stats.steps;
  expiries += r.expiries;
  sizes.push(r.stats.steps);
  ex.push(r.expiries);
  if (trace === 't')
    for (const x of r.notes) console.log((x.at / 1000).toFixed(3).padStart(10), `t${x.who}`, x.text);
  if (r.violation) {
    bad++;
    const k = `${r.violation.invariant} ${r.violation.message.replace(/[0-9a-z.]*\d[0-9a-z.]*/g, '#')}`;
    kinds[k] = (kinds[k] ?? 0) + 1;
    if (kinds[k] <= 3) console.log(s, Math.round(r.violation.at), r.violation.invariant, r.violation.message);
  }
}
const ms = performance.now() - start;
sizes.sort((a, b) => a - b);
ex.sort((a, b) => a - b);
console.log(
  {
    bad,
    steps,
    expiries,
    perSecond: Math.round((Number(n) / ms) * 1000),
    stepsPerSecond: Math.round((steps / ms) * 1000),
    median: sizes[sizes.length >> 1],
    medianExpiries: ex[ex.length >> 1],
  },
  kinds,
);
