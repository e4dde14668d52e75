/** Among processes they are; see `leases.ts`. */
export const LEASES: boolean = true;
