import type { Result } from './run.js';

/** Many schedules, added up. */
export interface Summary {
  schedules: number;
  /** Processor time, of all jobs. */
  cpuSeconds: number;
  steps: number;
  expiries: number;
  requests: number;
  /** Requests whose pair nobody has. */
  inVain: number;
  calls: number;
  violations: { seed: number; invariant: string; message: string }[];
  faults: Record<string, number>;
  transitions: Record<string, number>;
  messages: Record<string, number>;
  losses: Record<string, number>;
  stepsPerSchedule: number[];
  expiriesPerSchedule: number[];
}

export function emptySummary(): Summary {
  return {
    schedules: 0,
    cpuSeconds: 0,
    steps: 0,
    expiries: 0,
    requests: 0,
    inVain: 0,
    calls: 0,
    violations: [],
    faults: {},
    transitions: {},
    messages: {},
    losses: {},
    stepsPerSchedule: [],
    expiriesPerSchedule: [],
  };
}

export function addUp(summary: Summary, result: Result): void {
  const { plan, violation, stats, expiries, requests, inVain, calls, losses } = result;
  summary.schedules++;
  summary.steps += stats.steps;
  summary.expiries += expiries;
  summary.requests += requests;
  summary.inVain += inVain;
  summary.calls += calls;
  if (violation) {
    const { invariant, message } = violation;
    summary.violations.push({ seed: plan.seed, invariant, message });
  }
  addCounts(summary.faults, stats.faults);
  addCounts(summary.transitions, stats.transitions);
  addCounts(summary.messages, stats.messages);
  addCounts(summary.losses, losses);
  // Histograms: a million schedules are not to be kept.
  bump(summary.stepsPerSchedule, Math.min(stats.steps, 2_000));
  bump(summary.expiriesPerSchedule, Math.min(expiries, 200));
}

export function merge(a: Summary, b: Summary): Summary {
  addCounts(a.faults, b.faults);
  addCounts(a.transitions, b.transitions);
  addCounts(a.messages, b.messages);
  addCounts(a.losses, b.losses);
  for (const key of ['schedules', 'cpuSeconds', 'steps', 'expiries', 'requests', 'inVain', 'calls'] as const)
    a[key] += b[key];
  for (const key of ['stepsPerSchedule', 'expiriesPerSchedule'] as const) {
    b[key].forEach((n, value) => (a[key][value] = (a[key][value] ?? 0) + (n ?? 0)));
  }
  a.violations.push(...b.violations);
  return a;
}

function addCounts(a: Record<string, number>, b: Readonly<Record<string, number>>): void {
  for (const [key, n] of Object.entries(b)) a[key] = (a[key] ?? 0) + n;
}

function bump(histogram: number[], value: number): void {
  histogram[value] = (histogram[value] ?? 0) + 1;
}

/** The middle of a histogram. */
function median(histogram: readonly (number | null)[]): number {
  const total = histogram.reduce<number>((sum, n) => sum + (n ?? 0), 0);
  let seen = 0;
  for (let value = 0; value < histogram.length; value++) {
    seen += histogram[value] ?? 0;
    if (seen * 2 >= total) return value;
  }
  return 0;
}

/** A campaign's result for a person. */
export function report(
  summary: Summary,
  { profile, seed, seconds, jobs }: { profile: string; seed: number; seconds: number; jobs: number },
): string {
  const { schedules, cpuSeconds, steps, expiries, requests, inVain, calls, violations } = summary;
  const rate = (n: number, time: number): string => Math.round(n / time).toLocaleString('en');
  const kinds: Record<string, number> = {};
  for (const { invariant, message } of violations) {
    const kind = `${invariant} ${message.replace(/\S*\d\S*/g, '#')}`;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return [
    `profile ${profile}, seeds ${seed} to ${seed + schedules - 1}, ${jobs} job${jobs > 1 ? 's' : ''}`,
    `${schedules} schedules in ${seconds.toFixed(1)} s: ${rate(schedules, seconds)} schedules/s, ${rate(steps, seconds)} steps/s`,
    `per second of processor time: ${rate(schedules, cpuSeconds)} schedules, ${rate(steps, cpuSeconds)} steps`,
    `median schedule: ${median(summary.stepsPerSchedule)} steps, ${median(summary.expiriesPerSchedule)} expiries`,
    `${expiries} versions, ${requests} token requests (${inVain} in vain, ${((requests - inVain) / expiries).toFixed(4)} for each version), ${calls} calls`,
    list('faults', summary.faults),
    list('messages', summary.messages),
    list('transitions', summary.transitions),
    list('losses that no client could prevent', summary.losses),
    violations.length === 0
      ? 'no violation'
      : `${violations.length} violations\n${violations
          .slice(0, 40)
          .map(({ seed, invariant, message }) => `  seed ${seed}: ${invariant} ${message}`)
          .join('\n')}\n${list('by kind', kinds)}`,
  ].join('\n');
}

function list(title: string, counts: Record<string, number>): string {
  const entries = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  return `${title}: ${entries.map(([key, n]) => `${key} ${n}`).join(', ') || 'none'}`;
}
