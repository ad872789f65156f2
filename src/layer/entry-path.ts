// Names in a tar archive come as `./a`, `/a`, `a/`, `a//b`, `a/./b` and `a/../b`; here they become one form, inside
// the root whatever they say.

const UNCLEAN = /(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * `path` from the root, without leading or trailing slash, `.`, `..` or empty components; the empty string is the
 * root itself. `..` takes back the component before it, as a text (containerd's filepath.Clean), and stops at the root.
 */
export function cleanPath(path: string): string {
  if (!UNCLEAN.test(path)) return path;
  const kept: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  return kept.join('/');
}

/** Everything before the last component of a clean path; empty for the root's children. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

/** The last component of a clean path. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
