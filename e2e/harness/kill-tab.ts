import type { Page } from '@playwright/test';

/**
 * Finds the tab's process; the function kills it as the system would: no handler runs, no lock is given back by hand, nobody says goodbye.
 */
export async function aimAtTab(page: Page): Promise<() => Promise<void>> {
  const pid = await rendererOf(page);
  for (const other of page.context().pages()) {
    if (other !== page && (await rendererOf(other)) === pid) {
      throw new Error('This tab shares its process with another one, which would die too');
    }
  }
  return async () => {
    const crashed = page.waitForEvent('crash');
    process.kill(pid, 'SIGKILL');
    await crashed;
  };
}

/** The only place where Chromium tells which process draws which frame is the preamble of a trace. */
export async function rendererOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  try {
    const { frameTree } = await session.send('Page.getFrameTree');
    const events: TraceEvent[] = [];
    session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
    const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
    await session.send('Tracing.start', {
      transferMode: 'ReportEvents',
      traceConfig: {
        includedCategories: ['disabled-by-default-devtools.timeline'],
        excludedCategories: ['*'],
      },
    });
    await session.send('Tracing.end');
    await complete;
    const frames = events
      .filter((event) => event.name === 'TracingStartedInBrowser')
      .flatMap((event) => event.args.data?.frames ?? []);
    const frame = frames.find((candidate) => candidate.frame === frameTree.frame.id);
    if (frame?.processId === undefined) throw new Error('Chromium did not tell the process of this tab');
    return frame.processId;
  } finally {
    await session.detach();
  }
}

interface TraceEvent {
  name: string;
  args: { data?: { frames?: { frame: string; processId?: number }[] } };
}
