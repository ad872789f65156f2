// An ingest behind an ingest, for whoever wants to hear of what goes in.
import type { Ingest } from './place.ts';

/** `inner` with some members of its own. All other powers stay, whatever `Ingest` gets to have. */
export function wrapIngest(inner: Ingest, own: Partial<Omit<Ingest, 'offset'>>): Ingest {
  return {
    ...inner,
    ...own,
    // The only member that changes.
    get offset() {
      return inner.offset;
    },
  };
}
