import type { PlaywrightWorkerArgs, PlaywrightWorkerOptions } from '@playwright/test';
import type { Engine, Partition } from '../engines/engine.js';
import { startNativeChromium, type ChromiumSettings } from '../engines/native-chromium.js';
import { playwrightEngine } from '../engines/playwright-engine.js';

type Needs = { engine: Engine } & Pick<PlaywrightWorkerArgs, 'playwright'> &
  Pick<PlaywrightWorkerOptions, 'browserName' | 'launchOptions' | 'channel' | 'headless'>;

interface Settings {
  chromium?: ChromiumSettings;
  firefox?: Record<string, boolean | number>;
}

/** In place of the fixture `partition`: a browser of its own, set as a user might have set it; where nothing is set, as always. */
export function ownBrowser(settings: Settings) {
  return async (
    { engine, playwright, browserName, launchOptions, channel, headless }: Needs,
    use: (partition: Partition) => Promise<void>,
  ): Promise<void> => {
    if (browserName === 'firefox' && settings.firefox) {
      const own = playwrightEngine(
        await playwright.firefox.launch({
          headless,
          ...launchOptions,
          ...(channel === undefined ? {} : { channel }),
          firefoxUserPrefs: { ...launchOptions.firefoxUserPrefs, ...settings.firefox },
        }),
      );
      await use(await own.newPartition());
      return own.close();
    }
    const partition =
      browserName === 'chromium' && settings.chromium
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
