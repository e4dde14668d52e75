import { useNow } from '../use-now.js';

const RADIUS = 54;
const LENGTH = 2 * Math.PI * RADIUS;

interface CountdownProps {
  version: number;
  expiresAt: number | undefined;
  lifeMs: number;
}

/** The version inside, the life of its access token around it. */
export function Countdown({ version, expiresAt, lifeMs }: CountdownProps) {
  const now = useNow();
  const leftMs = Math.max(0, (expiresAt ?? now) - now);
  const share = Math.min(1, leftMs / lifeMs);
  const seconds = Math.ceil(leftMs / 1000);
  return (
    <div className="countdown" data-low={share < 0.2 || undefined}>
      <svg viewBox="0 0 120 120" aria-hidden="true">
        <circle className="track" cx="60" cy="60" r={RADIUS} />
        <circle className="life" cx="60" cy="60" r={RADIUS} strokeDasharray={`${share * LENGTH} ${LENGTH}`} />
      </svg>
      <div className="inside">
        <span className="label">version</span>
        <output className="version" data-testid="version">
          {version}
        </output>
        <span className="left" data-testid="countdown" aria-label={`expires in ${seconds} seconds`}>
          {expiresAt === undefined ? '' : leftMs > 0 ? `${seconds} s left` : 'expired'}
        </span>
      </div>
    </div>
  );
}
