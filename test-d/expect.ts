/** Compiles only if both types are the same. */
export function same<A, B>(..._proof: Same<A, B> extends true ? [] : ['not the same type']): void {}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- two generic functions are assignable only if A and B are identical
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
