export interface Contestant {
  /** Also its module's: contestants/<name>.ts. */
  readonly name: string;
  readonly kind: 'ours' | 'by hand' | 'library';
  /** The npm package. */
  readonly package?: string;
  /** Benchmarks that it cannot be driven in, and why. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

export const OURS = 'one-refresh';
/** The one to beat. */
export const BY_HAND = 'lock-indexed-db';

/** Ours and the one to beat in every round; the others, whose ratios are far from any limit, in every other one. */
export const takesPart = (name: string, round: number): boolean =>
  name === OURS || name === BY_HAND || round % 2 === 0;

export const contestants: readonly Contestant[] = [
  { name: OURS, kind: 'ours' },
  { name: 'no-coordination', kind: 'by hand' },
  { name: 'lock-local-storage', kind: 'by hand' },
  { name: BY_HAND, kind: 'by hand' },
  { name: 'auth0-spa-js', kind: 'library', package: '@auth0/auth0-spa-js' },
  { name: 'supabase-auth-js', kind: 'library', package: '@supabase/auth-js' },
  { name: 'okta-auth-js', kind: 'library', package: '@okta/okta-auth-js' },
  { name: 'oidc-client-ts', kind: 'library', package: 'oidc-client-ts' },
  { name: 'axa-fr-oidc-client', kind: 'library', package: '@axa-fr/oidc-client' },
  { name: 'msal-browser', kind: 'library', package: '@azure/msal-browser' },
];
