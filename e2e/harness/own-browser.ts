import type { Engine, Partition } from '../engines/engine.js';
import { startNativeChromium, type ChromiumSettings } from '../engines/native-chromium.js';
import { launchEngine, type Launch } from '../engines/playwright-engine.js';

interface Settings {
  /** `alone`: as Playwright starts it, but for this test only. */
  chromium?: ChromiumSettings | 'alone';
  firefox?: Record<string, boolean | number>;
}

/** In place of the fixture `partition`: a browser of its own, set as a user might have set it; where nothing is set, as always. */
export function ownBrowser(settings: Settings) {
  return async (
    { engine, playwright, browserName, launchOptions, channel, headless }: Launch & { engine: Engine },
    use: (partition: Partition) => Promise<void>,
  ): Promise<void> => {
    const isSet = browserName === 'firefox' && settings.firefox;
    if (isSet || (browserName === 'chromium' && settings.chromium === 'alone')) {
      const own = await launchEngine(
        { playwright, browserName, launchOptions, channel, headless },
        isSet ? { firefoxUserPrefs: { ...launchOptions.firefoxUserPrefs, ...settings.firefox } } : {},
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
