// A clock that can be moved on, so that tokens of an ordinary life expire when the benchmark says so: short lives would fall below the
// margins of the peers (up to five minutes), which would then refresh all the time.
const Real = Date;
const realNow = Date.now;
let ahead = 0;

/** From now on, all clocks but `epochNow` are this far ahead. */
export function setAhead(ms: number): void {
  ahead = ms;
}

export function installClock(): void {
  const now = (): number => realNow() + ahead;
  Real.now = now;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args: [], newTarget: typeof Date) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
    apply: () => new Real(now()).toString(),
  });
}

/** Epoch milliseconds, fine enough for what happens between two tabs. */
export const epochNow = (): number => performance.timeOrigin + performance.now();

export async function until(instant: number): Promise<void> {
  const ms = instant - epochNow();
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
