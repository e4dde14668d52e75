import type { PlaywrightWorkerArgs, PlaywrightWorkerOptions } from '@playwright/test';
import type { Engine, Partition } from '../engines/engine.js';
import { startNativeChromium, type ChromiumSettings } from '../engines/native-chromium.js';
import { playwrightEngine } from '../engines/playwright-engine.js';

type Needs = { engine: Engine } & Pick<PlaywrightWorkerArgs, 'playwright'> &
  Pick<PlaywrightWorkerOptions, 'browserName' | 'launchOptions' | 'channel' | 'headless'>;

interface Settings {
  /** `alone`: as Playwright starts it, but for this test only. */
  chromium?: ChromiumSettings | 'alone';
  firefox?: Record<string, boolean | number>;
}

/** In place of the fixture `partition`: a browser of its own, set as a user might have set it; where nothing is set, as always. */
export function ownBrowser(settings: Settings) {
  return async (
    { engine, playwright, browserName, launchOptions, channel, headless }: Needs,
    use: (partition: Partition) => Promise<void>,
  ): Promise<void> => {
    const isSet = browserName === 'firefox' && settings.firefox;
    if (isSet || (browserName === 'chromium' && settings.chromium === 'alone')) {
      const own = playwrightEngine(
        await playwright[browserName].launch({
          headless,
          ...launchOptions,
          ...(channel === undefined ? {} : { channel }),
          ...(isSet ? { firefoxUserPrefs: { ...launchOptions.firefoxUserPrefs, ...settings.firefox } } : {}),
        }),
      );
      await use(await own.newPartition());
      return own.close();
    }
    const partition =
      browserName === 'chromium' && typeof settings.chromium === 'object'
        ? await startNativeChromium(
            launchOptions.executablePath ?? playwright.chromium.executablePath(),
            launchOptions.args ?? [],
            settings.chromium,
          )
        : await engine.newPartition();
    await use(partition);
    await partition.close();
  };
}
