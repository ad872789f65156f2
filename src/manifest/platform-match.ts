// Which of an index's entries runs on a platform: best match, not exact match (containerd/platforms compare.go).
import { OciError } from '../errors.ts';
import type { Descriptor, Platform } from './descriptor.ts';
import { formatPlatform, normalizePlatform } from './platform.ts';

/** Set by BuildKit on what describes an image instead of being one. */
const REFERENCE_TYPE = 'vnd.docker.reference.type';
/** The manifest it describes. */
const REFERENCE_DIGEST = 'vnd.docker.reference.digest';
/** Set by c/image on the zstd twin of a gzip image of the same platform. */
const ZSTD_TWIN = 'io.github.containers.compression.zstd';

/** True when `candidate` runs on `wanted`, itself or by downward compatibility (`linux/386` on `linux/amd64`). */
export function matchesPlatform(wanted: Platform, candidate: Platform): boolean {
  return rankOf(wanted, candidate) !== undefined;
}

/**
 * The entry that suits `wanted` best: the same platform, else the nearest one it can run. Attestations are never chosen.
 * Of two equal entries the one that uses more of the features asked for is taken, then the zstd one (smaller, and faster
 * to unpack), else the first.
 * Throws PLATFORM_NOT_FOUND, which says `what` has none and lists what there is.
 */
export function selectPlatform(
  descriptors: readonly Descriptor[],
  wanted: Platform,
  what = 'the index',
): Descriptor {
  const images = descriptors.filter((descriptor) => !isAttestation(descriptor));
  let best: { rank: number; tie: number; descriptor: Descriptor } | undefined;
  for (const descriptor of images) {
    const rank = selectionRank(wanted, descriptor);
    if (rank === undefined) continue;
    const tie = tieRank(wanted, descriptor);
    const better = best === undefined || rank < best.rank || (rank === best.rank && tie > best.tie);
    if (better) best = { rank, tie, descriptor };
  }
  if (best !== undefined) return best.descriptor;
  const there = [...new Set(images.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : [])))];
  throw new OciError('PLATFORM_NOT_FOUND', `${what}: no image for ${formatPlatform(wanted)}`, {
    hint:
      there.length === 0
        ? 'the index names no platform at all'
        : `choose with --platform: ${there.join(', ')}`,
  });
}

/** BuildKit keeps provenance and SBOM in the index, as platform unknown/unknown. */
export function isAttestation(descriptor: Descriptor): boolean {
  const { platform, annotations } = descriptor;
  return (
    annotations?.[REFERENCE_TYPE] !== undefined ||
    (platform?.os === 'unknown' && platform.architecture === 'unknown')
  );
}

/** The manifest an attestation of BuildKit's is about; undefined for everything else. */
export function attestedDigest(descriptor: Descriptor): string | undefined {
  return isAttestation(descriptor) ? descriptor.annotations?.[REFERENCE_DIGEST] : undefined;
}

/** Between equals: the one that uses more of the features there are, then the zstd twin. Larger is better. */
function tieRank(wanted: Platform, { platform, annotations }: Descriptor): number {
  const used = platform?.['os.features']?.filter((feature) => wanted['os.features']?.includes(feature)) ?? [];
  return used.length * 2 + (annotations?.[ZSTD_TWIN] === 'true' ? 1 : 0);
}

/** Ranks of last resort, after every true match. */
const MISSING_FEATURES = 500;
const NO_VARIANT = 1000;
const NO_PLATFORM = 2000;

/** Smaller is better; undefined is no match. */
function selectionRank(wanted: Platform, { platform }: Descriptor): number | undefined {
  if (platform === undefined) return NO_PLATFORM;
  // Exactly as written beats the same after normalisation: `linux/arm` is an entry of its own beside `linux/arm/v7`.
  if (formatPlatform(platform) === formatPlatform(wanted))
    return fitsSystem(wanted, platform) ? -1 : MISSING_FEATURES;
  // Many lists name `arm` without a variant for the oldest one they support: any that is named is better
  // (c/image platform_matcher.go), though by containerd's rule it would stand for v7.
  const bare =
    !platform.variant && platform.architecture === wanted.architecture && platform.os === wanted.os;
  if (bare && wanted.architecture === 'arm') return fitsSystem(wanted, platform) ? NO_VARIANT : undefined;
  return rankOf(wanted, platform);
}

function rankOf(wanted: Platform, candidate: Platform): number | undefined {
  const want = normalizePlatform(wanted);
  const have = normalizePlatform(candidate);
  if (want.os !== have.os || !fitsSystem(want, have)) return undefined;
  const variant = variantOf(have);
  const rank = runsOn(want).findIndex(
    (other) => other.architecture === have.architecture && other.variant === variant,
  );
  return rank < 0 ? undefined : rank;
}

/** Windows containers want the host's build (the first three numbers); features asked for by the image must be there. */
function fitsSystem(wanted: Platform, candidate: Platform): boolean {
  const build = (platform: Platform): string | undefined =>
    platform['os.version']?.split('.').slice(0, 3).join('.');
  if (
    wanted.os === 'windows' &&
    build(wanted) !== undefined &&
    build(candidate) !== undefined &&
    build(wanted) !== build(candidate)
  ) {
    return false;
  }
  const offered = new Set(wanted['os.features']);
  return wanted.os === 'windows' || (candidate['os.features'] ?? []).every((feature) => offered.has(feature));
}

interface Machine {
  architecture: string;
  variant: string;
}

const DEFAULT_VARIANTS: ReadonlyMap<string, string> = new Map([
  ['arm', 'v7'],
  ['arm64', 'v8'],
  ['amd64', 'v1'],
]);

/** The variant, or the one that its absence stands for. */
function variantOf({ architecture, variant }: Platform): string {
  if (variant !== undefined && variant !== '') return variant;
  return DEFAULT_VARIANTS.get(architecture) ?? '';
}

/** Everything a machine runs, best first. */
function runsOn(platform: Platform): Machine[] {
  const { architecture } = platform;
  const variant = variantOf(platform);
  const self: Machine = { architecture, variant };
  if (architecture === 'amd64') return [...downTo('amd64', variant, 1), { architecture: '386', variant: '' }];
  if (architecture === 'arm') return downTo('arm', variant, 5);
  if (architecture === 'arm64') return [...arm64Versions(variant), ...downTo('arm', 'v8', 5)];
  return [self];
}

/** `v8` down to `v5`; only itself when the variant is no such number. */
function downTo(architecture: string, variant: string, lowest: number): Machine[] {
  const top = /^v(\d{1,2})$/.exec(variant)?.[1];
  const machines: Machine[] = [{ architecture, variant }];
  for (let version = Number(top ?? 0) - 1; version >= lowest; version -= 1) {
    machines.push({ architecture, variant: `v${version}` });
  }
  return machines;
}

/** Armv9.x has everything of Armv8.(x+5), up to v8.9 (Arm ARM, A2.2). */
function arm64Versions(variant: string): Machine[] {
  const [, major, minor] = /^v([89])(?:\.(\d))?$/.exec(variant) ?? [];
  if (major === undefined) return [{ architecture: 'arm64', variant }];
  const versions: string[] = [];
  const add = (generation: number, from: number): void => {
    for (let n = from; n >= 0; n -= 1) versions.push(n === 0 ? `v${generation}` : `v${generation}.${n}`);
  };
  if (major === '9') {
    add(9, Number(minor ?? 0));
    add(8, Math.min(9, Number(minor ?? 0) + 5));
  } else {
    add(8, Number(minor ?? 0));
  }
  return versions.map((version) => ({ architecture: 'arm64', variant: version }));
}
