// The token endpoint's own log, as the page may see it.
import { useEffect, useState } from 'react';
import type { TokenCoordinator } from 'one-refresh';

export interface ServerRequest {
  id: number;
  receivedAt: number;
  answeredAt?: number;
  grantType?: string;
  decided?: { status: number; error?: string };
  sent?: { status: number; error?: string } | string;
  faults: string[];
  /** The request's own parameters that begin with `x_`. */
  debug: Record<string, string>;
}

export interface ServerLog {
  accessTokenTtl: number;
  /** Since the last sign-in. */
  refreshes: ServerRequest[];
}

/** Read again whenever something changes in this tab, and once more a moment later, when an answer has arrived. */
export function useServerLog({ subscribe }: TokenCoordinator): ServerLog | undefined {
  const [log, setLog] = useState<ServerLog>();
  useEffect(() => {
    let again: ReturnType<typeof setTimeout> | undefined;
    const read = () => {
      readServerLog().then(setLog, () => {}); // the demo's server was stopped: the display stays
    };
    const readTwice = () => {
      clearTimeout(again);
      again = setTimeout(read, 500);
      read();
    };
    readTwice();
    const unsubscribe = subscribe(readTwice);
    return () => {
      unsubscribe();
      clearTimeout(again);
    };
  }, [subscribe]);
  return log;
}

async function readServerLog(): Promise<ServerLog> {
  const response = await fetch('/__lab/log');
  const { entries, settings } = (await response.json()) as {
    entries: ServerRequest[];
    settings: { accessTokenTtl: number };
  };
  const signIn = entries.findLastIndex((entry) => entry.grantType === 'authorization_code');
  const refreshes = entries.slice(signIn + 1).filter((entry) => entry.grantType === 'refresh_token');
  return { ...settings, refreshes };
}
