// The browser's own tab bar shows who leads, too: with ten tabs open it is the only thing one sees of nine of them.
import type { TokenCoordinator } from 'one-refresh';
import { CROWN_PATH } from './components/crown.js';
import type { TabName } from './tab-name.js';

export function followInTabIcon(coordinator: TokenCoordinator, { name, hue }: TabName): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  const show = () => {
    const { status, role, version } = coordinator.getSnapshot();
    const signedIn = status === 'signed-in';
    const leads = signedIn && role === 'leader';
    document.title = signedIn
      ? `${leads ? '♛ ' : ''}v${version} · ${name} · one-refresh`
      : `${name} · one-refresh`;
    const shape = leads
      ? `<path d="${CROWN_PATH}" fill="#d39e00"/>`
      : `<circle cx="12" cy="12" r="8" fill="${signedIn ? `hsl(${hue} 60% 50%)` : '#999'}"/>`;
    if (icon)
      icon.href = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${shape}</svg>`)}`;
  };
  coordinator.subscribe(show);
  show();
}
