/** The outcome of the last call, as far as there was one. */
export type ApiCall =
  | { state: 'waiting' }
  | { state: 'answered'; status: number; body: unknown; ms: number }
  | { state: 'failed'; code: string; message: string };

export function ApiResult({ call }: { call: ApiCall | undefined }) {
  return (
    <section className="card api-result" aria-labelledby="api-result" aria-live="polite">
      <h2 id="api-result">
        The API&rsquo;s answer
        {call?.state === 'answered' && (
          <span className="badge" data-good={call.status === 200 || undefined} data-testid="api-status">
            {call.status}
          </span>
        )}
      </h2>
      <div data-testid="api-result">
        <Answer call={call} />
      </div>
    </section>
  );
}

function Answer({ call }: { call: ApiCall | undefined }) {
  if (call === undefined) {
    return (
      <p className="hint">
        Not called yet. It verifies the access token&rsquo;s signature, issuer and audience.
      </p>
    );
  }
  if (call.state === 'waiting') return <p className="hint">Waiting for a token, then for the API…</p>;
  if (call.state === 'failed') {
    return (
      <p className="trouble">
        <code>{call.code}</code> {call.message}
      </p>
    );
  }
  return (
    <>
      <pre>{JSON.stringify(call.body, null, 2)}</pre>
      <p className="hint">after {Math.round(call.ms)} ms</p>
    </>
  );
}
