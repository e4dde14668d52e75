// What a page finds changed before its first script runs, in any engine: the server writes it into the page itself. Chosen in the page's
// address: `?before=no-locks,no-channel`.

const removals = {
  'no-locks': () => {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined, configurable: true });
  },
  'no-channel': () => {
    Object.defineProperty(window, 'BroadcastChannel', { value: undefined, configurable: true });
  },
} satisfies Record<string, () => void>;

export type Change = keyof typeof removals;

/** Uncaught errors of any tab are the test's business, also where no driver tells of them. */
function reportErrors(): void {
  const report = (message: string): void => {
    const tab = new URLSearchParams(location.search).get('tab');
    void fetch('/__lab/complaints', { method: 'POST', body: `${tab}: ${message}`, keepalive: true });
  };
  window.addEventListener('error', (event) => report(event.message));
  window.addEventListener('unhandledrejection', (event) => report(String(event.reason)));
}

/** The page with its changes in front of everything else. */
export function withChanges(html: string, chosen: string | null): string {
  const scripts = [reportErrors, ...(chosen?.split(',') ?? []).map((name) => removals[name as Change])];
  const source = scripts.map((script) => `(${String(script)})();`).join('\n');
  return html.replace('<meta charset="utf-8" />', (meta) => `${meta}<script>${source}</script>`);
}
