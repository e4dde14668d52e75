import { useEffect, useState } from 'react';

/** The time, as often as a countdown needs it. */
export function useNow(everyMs = 200): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
