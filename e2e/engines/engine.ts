// The tests' needs of a browser, small enough that every engine on a plain Debian machine can be driven.
import type { Page } from '@playwright/test';

export interface Engine {
  /** Storage, locks and channels of its own; tabs in it share them. */
  newPartition(): Promise<Partition>;
  close(): Promise<void>;
}

export interface TabPlace {
  hidden: boolean;
}

export interface Partition {
  /** An empty tab, visible whatever the number of tabs; or one behind another tab, where the engine hides such tabs. */
  newTab(place?: TabPlace): Promise<EngineTab>;
  close(): Promise<void>;
}

export interface EngineTab {
  /** Runs in the page with the promises it returns; arguments and results are JSON. Rejects if the page goes before it is done. */
  evaluate<Result, Argument>(
    run: (argument: Argument) => Result | Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  evaluate<Result>(run: () => Result | Promise<Result>): Promise<Result>;
  /** Resolves when the page has loaded. */
  goto(url: string): Promise<void>;
  /** Goes back in its history, where the page itself cannot be told to. Resolves when the page is there. */
  back?(): Promise<void>;
  close(): Promise<void>;
  /** Where Playwright drives the engine: for what one engine alone can do. */
  readonly page?: Page;
}
