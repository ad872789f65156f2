// containers' policy.json (containers-policy.json(5)): what has to be signed, by whom. Read strictly, as podman does: a
// policy with anything in it that is not understood is no policy.
import { OciError } from '../errors.ts';
import { isRecord } from '../json.ts';
import { duplicateMember } from './duplicate-member.ts';
import { IDENTITY_MEMBERS, type SignedIdentity } from './signed-identity.ts';

/** What an image has to fulfil; of several, all. */
export type Requirement =
  | { type: 'insecureAcceptAnything' }
  | { type: 'reject' }
  /** GPG signatures, which nothing here verifies: refused. */
  | { type: 'signedBy' | 'signedBaseLayer' }
  | SigstoreSigned;

/** A file with a key or certificates, or its content. */
export type PemSource = { path: string } | { pem: string };

export interface SigstoreSigned {
  type: 'sigstoreSigned';
  /** Any of these may have signed; none when `fulcio` is given. */
  keys: PemSource[];
  fulcio?: { authorities: PemSource; oidcIssuer: string; subjectEmail: string };
  /** Keys of logs, one of which must have the signature. */
  logs: PemSource[];
  signedIdentity: SignedIdentity;
}

export interface Policy {
  /** The file, for messages. */
  name: string;
  default: Requirement[];
  transports: Record<string, Record<string, Requirement[]>>;
}

type Members = Record<string, unknown>;

/** The policy in `text`. Throws SETTINGS_INVALID, naming the member and what was expected. */
export function parsePolicy(text: string, name: string): Policy {
  const fail = (problem: string): never => {
    throw new OciError('SETTINGS_INVALID', `${name}: ${problem}`, {
      hint: 'the format is that of man 5 containers-policy.json',
    });
  };

  function object(value: unknown, where: string, known?: readonly string[]): Members {
    if (!isRecord(value)) return fail(`${where} is not an object`);
    const unknown = known && Object.keys(value).find((member) => !known.includes(member));
    return unknown === undefined ? value : fail(`${where}: unknown member ${JSON.stringify(unknown)}`);
  }

  function string(members: Members, member: string, where: string): string {
    const value = members[member];
    return typeof value === 'string' && value !== ''
      ? value
      : fail(`${where}.${member} is ${value === undefined ? 'missing' : 'not text'}`);
  }

  /** `keyPath`, `keyData`, `keyPaths`, `keyDatas`: one of the four. */
  function sources(members: Members, stem: string, where: string): PemSource[] {
    const given = ['Path', 'Data', 'Paths', 'Datas'].filter((end) => members[stem + end] !== undefined);
    const [end] = given;
    if (given.length > 1) fail(`${where}: more than one of ${given.map((one) => stem + one).join(', ')}`);
    if (end === undefined) return [];
    const member = stem + end;
    const value = members[member];
    const texts = Array.isArray(value) === end.endsWith('s') ? [value].flat() : [];
    if (texts.length === 0) return fail(`${where}.${member} is not ${end.endsWith('s') ? 'a list' : 'text'}`);
    return texts.map((one: unknown): PemSource => {
      if (typeof one !== 'string' || one === '') return fail(`${where}.${member} is not text`);
      return end.startsWith('Path') ? { path: one } : { pem: Buffer.from(one, 'base64').toString() };
    });
  }

  function identity(value: unknown, where: string): SignedIdentity {
    if (value === undefined) return { type: 'matchRepoDigestOrExact' };
    const members = object(value, where);
    const type = string(members, 'type', where);
    const needed = Object.hasOwn(IDENTITY_MEMBERS, type)
      ? IDENTITY_MEMBERS[type as SignedIdentity['type']]
      : fail(`${where}.type: unknown: ${type}`);
    object(value, where, ['type', ...needed]);
    for (const member of needed) string(members, member, where);
    return members as unknown as SignedIdentity;
  }

  function sigstoreSigned(members: Members, where: string): SigstoreSigned {
    const keys = sources(members, 'key', where);
    const logs = sources(members, 'rekorPublicKey', where);
    const signedIdentity = identity(members.signedIdentity, `${where}.signedIdentity`);
    if (members.pki !== undefined) fail(`${where}.pki is not supported`);
    if (members.fulcio === undefined) {
      if (keys.length === 0) fail(`${where}: neither a key nor fulcio`);
      return { type: 'sigstoreSigned', keys, logs, signedIdentity };
    }
    if (keys.length > 0) fail(`${where}: both a key and fulcio`);
    if (logs.length === 0) fail(`${where}: fulcio without rekorPublicKeyPath`);
    const at = `${where}.fulcio`;
    const fulcio = object(members.fulcio, at, ['caPath', 'caData', 'oidcIssuer', 'subjectEmail']);
    const [authorities = fail(`${at}: neither caPath nor caData`)] = sources(fulcio, 'ca', at);
    const oidcIssuer = string(fulcio, 'oidcIssuer', at);
    const subjectEmail = string(fulcio, 'subjectEmail', at);
    const signer = { authorities, oidcIssuer, subjectEmail };
    return { type: 'sigstoreSigned', keys, logs, signedIdentity, fulcio: signer };
  }

  function requirement(value: unknown, where: string): Requirement {
    const members = object(value, where);
    const type = string(members, 'type', where);
    switch (type) {
      case 'insecureAcceptAnything':
      case 'reject':
        object(value, where, ['type']);
        return { type };
      case 'signedBy':
      case 'signedBaseLayer':
        return { type };
      case 'sigstoreSigned':
        object(value, where, SIGSTORE_MEMBERS);
        return sigstoreSigned(members, where);
      default:
        return fail(`${where}.type: unknown: ${type.slice(0, 100)}`);
    }
  }

  function requirements(value: unknown, where: string): Requirement[] {
    if (!Array.isArray(value) || value.length === 0) return fail(`${where} is not a list with requirements`);
    return value.map((one, i) => requirement(one, `${where}[${i}]`));
  }

  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail(`it is not JSON: ${error instanceof Error ? error.message.split('\n', 1)[0] : ''}`);
  }
  const twice = duplicateMember(text);
  if (twice !== undefined) return fail(`${JSON.stringify(twice)} stands twice in one object`);
  const top = object(json, 'the policy', ['default', 'transports']);
  const transports = Object.entries(object(top.transports ?? {}, 'transports')).map(([transport, value]) => {
    const where = `transports.${transport}`;
    const scopes = Object.entries(object(value, where));
    return [
      transport,
      Object.fromEntries(
        scopes.map(([scope, list]) => [scope, requirements(list, `${where}[${JSON.stringify(scope)}]`)]),
      ),
    ] as const;
  });
  return {
    name,
    default: requirements(top.default, 'default'),
    transports: Object.fromEntries(transports),
  };
}

const SIGSTORE_MEMBERS = [
  'type',
  'keyPath',
  'keyData',
  'keyPaths',
  'keyDatas',
  'fulcio',
  'pki',
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
  'signedIdentity',
];
