/**
 * The faults that the demo's server can be asked for; see demo/server/faults.ts. An answer is lost here by a gateway that gives up: if the
 * connection broke, the browser itself would repeat the request, and nobody could tell the loss from a refusal.
 */
const troubles = [
  { label: 'Two times 503', rule: { instead: { status: 503 }, times: 2 } },
  { label: 'A slow answer', rule: { answerDelayMs: 5_000 } },
  { label: 'Lose the next answer', rule: { afterwards: { status: 502 } } },
] as const;

export function Trouble({ onAsk }: { onAsk: (label: string, rule: object) => void }) {
  return (
    <section className="card trouble-maker" aria-labelledby="trouble">
      <h2 id="trouble">Make trouble at the next refresh</h2>
      <div className="buttons">
        {troubles.map(({ label, rule }) => (
          <button type="button" key={label} onClick={() => onAsk(label, rule)}>
            {label}
          </button>
        ))}
      </div>
      <p className="hint">
        The first two cost nothing but time. The third is what no client can mend alone: the server has
        rotated and nobody heard the new token.
      </p>
    </section>
  );
}
