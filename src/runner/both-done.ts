// Two things at once, of which neither is left behind when the other fails.

/** Both results. Throws the failure of the first that has one, once both have ended. */
export async function bothDone<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}
