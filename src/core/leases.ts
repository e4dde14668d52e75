/**
 * Whether locks may be leases (docs/protocol.md). `#leases` means this module, where they never are, or `leases.node.ts` under the
 * condition `node`; see `imports` in package.json. A bundler leaves the rules of leases out of a page.
 */
export const LEASES: boolean = false;
