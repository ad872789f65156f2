// Where a registry may send us for a token. A realm is a URL chosen by the registry: without rules it could make us talk
// to a cloud's metadata service or to a private network (go-containerregistry#2440), or send a password in the clear.
import { OciError } from '../errors.ts';
import { type AddressKind, addressKind } from './address.ts';

/** The realm as a URL; a relative one is resolved against the registry. Throws UNAUTHORIZED when it is no web address. */
export function resolveRealm(realm: string, registry: URL): URL {
  const url = URL.canParse(realm, registry) ? new URL(realm, registry) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new OciError('UNAUTHORIZED', `${registry.host}: its token server is no web address: ${realm}`);
  }
  url.username = '';
  url.password = '';
  return url;
}

/**
 * True when a token may be asked for at `realm`: never HTTP for a registry on HTTPS, and an address that is not public
 * only when the registry is on the same host or, link-local apart, on such a network itself. `registryKinds` are the kinds of the
 * registry's resolved addresses.
 */
export function realmAllowed(
  realm: URL,
  registry: URL,
  registryKinds: readonly AddressKind[] = [addressKind(registry.hostname)],
): boolean {
  if (registry.protocol === 'https:' && realm.protocol !== 'https:') return false;
  return realm.hostname === registry.hostname || kindAllowed(addressKind(realm.hostname), registryKinds);
}

/** The same rule for one address a realm's name resolved to. */
export function kindAllowed(kind: AddressKind, registryKinds: readonly AddressKind[]): boolean {
  return kind === 'public' || (kind !== 'link-local' && registryKinds.includes(kind));
}

/** The error for an address that `realmAllowed` refuses. */
export function realmRefused(address: string, registry: string): OciError {
  return new OciError('DENIED', `${registry} points to ${address}: refused to go there on its word`, {
    hint: 'a registry may not lead to plain HTTP or to a private network it is not on itself; tell whoever runs it',
  });
}
