import type { PlaywrightWorkerArgs, PlaywrightWorkerOptions } from '@playwright/test';
import type { Engine, Partition } from '../engines/engine.js';
import { startNativeChromium } from '../engines/native-chromium.js';

type Needs = { engine: Engine } & Pick<PlaywrightWorkerArgs, 'playwright'> &
  Pick<PlaywrightWorkerOptions, 'browserName' | 'launchOptions'>;

/** In place of the fixture `partition`: a Chromium as its users have it; the other engines as always. */
export async function nativePartition(
  { engine, playwright, browserName, launchOptions }: Needs,
  use: (partition: Partition) => Promise<void>,
): Promise<void> {
  const partition =
    browserName === 'chromium'
      ? await startNativeChromium(
          launchOptions.executablePath ?? playwright.chromium.executablePath(),
          launchOptions.args ?? [],
        )
      : await engine.newPartition();
  await use(partition);
  await partition.close();
}
