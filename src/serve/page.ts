// Lists in pages (distribution-spec, listing tags).
import { type Answer, errorAnswer, jsonAnswer } from './answer.ts';

/** Entries of a list when the client names no number, and at most. */
const PAGE = 1000;

/** One page of a sorted list; `Link` leads to the next (distribution-spec, listing tags). */
export function page(
  path: string,
  all: string[],
  query: URLSearchParams,
  shape: (some: string[]) => Record<string, unknown>,
): Answer {
  const asked = query.get('n');
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    return errorAnswer(400, 'PAGINATION_NUMBER_INVALID', 'n is not a number');
  }
  const length = Math.min(asked === null ? PAGE : Number(asked), PAGE);
  const last = query.get('last');
  const rest = last === null ? all : all.filter((name) => name > last);
  const some = rest.slice(0, length);
  const answer = jsonAnswer(shape(some));
  const end = some.at(-1);
  if (end === undefined || some.length === rest.length) return answer;
  const next = `${path}?n=${length}&last=${encodeURIComponent(end)}`;
  return { ...answer, headers: { ...answer.headers, link: `<${next}>; rel="next"` } };
}
