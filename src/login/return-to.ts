import { LoginError } from './login-error.js';

/**
 * A path of this origin, safe to navigate to.
 *
 * @param here - the address of the page
 * @throws `return_to_invalid` for everything that would lead elsewhere
 */
export function checkReturnTo(returnTo: unknown, here: URL): string {
  try {
    const { protocol, host, pathname, search, hash } = new URL(String(returnTo), here);
    // Not the origin: that of a `blob:` address is the page's.
    // guard: login: returnTo is on this origin
    if (protocol === here.protocol && host === here.host) {
      // A path that begins with two slashes would name another host where it is used.
      // guard: login: returnTo is a path that names no other host
      return pathname.replace(/^\/+/, '/') + search + hash;
    }
  } catch {
    // Not an address at all.
  }
  throw new LoginError('return_to_invalid', 'returnTo must be on this origin');
}
