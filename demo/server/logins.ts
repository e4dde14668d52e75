// The person at the login page, for pages that compare ways to refresh: several tabs may arrive there at once, and one login serves them all.
export interface Logins {
  /** Log-ins so far, the first one included. */
  readonly count: () => number;
  /** Logs in if the login that was lost is still the newest; else somebody else did, and the tab will see it. */
  readonly after: (lost: number) => Promise<{ number: number; tokens?: object }>;
}

export function createLogins(signIn: () => Promise<object>): Logins {
  let number = 0;
  let last: Promise<unknown> = Promise.resolve();
  const next: Logins['after'] = async (lost) => {
    if (lost < number) return { number };
    const mine = ++number;
    return { number: mine, tokens: await signIn() };
  };
  return {
    count: () => number,
    after(lost) {
      const turn = last.then(() => next(lost));
      last = turn.catch(() => {});
      return turn;
    },
  };
}
