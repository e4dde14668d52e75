import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFakeCoordinator, type FakeCoordinator } from '../../test/support/fake-coordinator.js';
import { optionsFor, startLoginWorld, type LoginWorld } from '../../test/support/login-world.js';
import { json } from '../../test/support/loopback-server.js';
import { createLogin, type Login, type LoginError } from './index.js';
import { patiently } from '../../test/support/patiently.js';

/** As much of a window as the opener sees. */
interface FakeWindow {
  closed: boolean;
  location: { replace(url: string): void };
  close(): void;
}

let world: LoginWorld;
let opener: FakeCoordinator;
let inPopup: FakeCoordinator;
let opened: FakeWindow[];
const close = vi.fn<() => void>();
beforeEach(async () => {
  world = await startLoginWorld();
  opener = createFakeCoordinator({ status: 'signed-out', sessionId: undefined });
  inPopup = createFakeCoordinator({ status: 'signed-out', sessionId: undefined });
  // The session reaches the other page a little later, over a channel of its own.
  vi.spyOn(inPopup, 'setSession').mockImplementation(async () => {
    inPopup.set({ status: 'signed-in', sessionId: 'new' });
    setTimeout(() => opener.set({ status: 'signed-in', sessionId: 'new' }), 50);
  });
  opened = [];
  close.mockReset();
  vi.stubGlobal('window', {
    open: (): FakeWindow => {
      const made: FakeWindow = {
        closed: false,
        location: { replace: (url) => void world.visited.push(url) },
        close: () => void (made.closed = true),
      };
      opened.push(made);
      return made;
    },
    close,
  });
  world.open('/orders');
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await world.server.close();
});

const make = (coordinator: FakeCoordinator): Login => createLogin(optionsFor(world, coordinator));
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'none',
    ({ code }: LoginError) => code,
  );
const inWindow = (count = 1): Promise<void> => patiently(() => expect(world.visited.length).toBe(count));

test('resolves when the session is here and the window closed', async () => {
  const popup = make(opener).popup({ prompt: 'login' });
  expect(opened, 'while the click is handled').toHaveLength(1);
  await inWindow();
  expect(world.request().get('prompt')).toBe('login');
  const page = world.address();
  world.comeBack();
  const finished = make(inPopup).finish();
  await popup;
  expect(opener.getSnapshot()).toMatchObject({ status: 'signed-in', sessionId: 'new' });
  expect(close).toHaveBeenCalledTimes(1);
  // A window that may not be closed is a tab like any other.
  expect(await finished).toEqual({ returnTo: '/orders' });
  expect(page).toMatch(/orders$/);
});

test('two at once end each in its own page', async () => {
  // Which of the two windows leaves for the server first is not said.
  const both = [make(opener).popup(), make(opener).popup()].map(codeOf);
  await inWindow(2);
  world.comeBack({ code: undefined, error: 'access_denied' });
  const denied = codeOf(make(inPopup).finish());
  expect(await Promise.race(both)).toBe('access_denied');
  expect(await denied).toBe('access_denied');
  const { searchParams } = new URL(world.visited[0] ?? '');
  world.claims = { nonce: searchParams.get('nonce') };
  world.comeBack({ state: searchParams.get('state') ?? '' });
  void make(inPopup).finish();
  expect(new Set(await Promise.all(both))).toEqual(new Set(['access_denied', 'none']));
});

test('passes on what the server says', async () => {
  const popup = make(opener).popup();
  await inWindow();
  world.comeBack({ code: undefined, error: 'access_denied', error_description: 'no' });
  make(inPopup)
    .finish()
    .catch(() => undefined);
  await expect(popup).rejects.toMatchObject({
    name: 'LoginError',
    code: 'access_denied',
    errorDescription: 'no',
  });
});

test('says that the window was blocked', async () => {
  vi.spyOn(window, 'open').mockReturnValue(null);
  expect(await codeOf(make(opener).popup())).toBe('popup_blocked');
});

test('says that the user closed the window', async () => {
  const popup = codeOf(make(opener).popup());
  await inWindow();
  opened[0]!.close();
  expect(await popup).toBe('popup_closed');
});

test('waits for a window cut off from the page', async () => {
  // As with Cross-Origin-Opener-Policy: it looks closed while the user is in it.
  let here = false;
  vi.spyOn(document, 'hasFocus').mockImplementation(() => here);
  const popup = codeOf(make(opener).popup());
  await inWindow();
  opened[0]!.close();
  const early = Promise.race([popup, new Promise((resolve) => setTimeout(resolve, 1_600, 'waiting'))]);
  expect(await early).toBe('waiting');
  here = true;
  expect(await popup).toBe('popup_closed');
});

test('closes the window that cannot be sent anywhere', async () => {
  world.answers['/.well-known/openid-configuration'] = json(503, {});
  expect(await codeOf(make(opener).popup())).toBe('server_unavailable');
  expect(opened[0]?.closed).toBe(true);
});

test('a redirect in the same browser leaves windows alone', async () => {
  const login = make(inPopup);
  void login.start();
  await inWindow();
  world.comeBack();
  expect(await login.finish()).toEqual({ returnTo: '/orders' });
  expect(close).not.toHaveBeenCalled();
});
