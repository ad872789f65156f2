// Platforms as people write them: `linux/arm64`, `arm/v7`, `x86_64`, `windows/amd64:10.0.17763`.
import { OciError } from '../errors.ts';
import type { Platform } from './descriptor.ts';

const SYSTEMS = new Set(
  [
    'aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows',
  ].flatMap((names) => names.split(' ')),
);
const PART = /^[A-Za-z0-9_.-]+$/;

/** Other names of architectures, with the variant they imply (Go's names are the ones in images). `arm` alone is v7. */
const ARCHITECTURES: ReadonlyMap<string, readonly [architecture: string, variant?: string]> = new Map([
  ['i386', ['386']],
  ['i686', ['386']],
  ['x86', ['386']],
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm']],
  ['armel', ['arm', 'v6']],
]);

/**
 * `os/arch[/variant][:os.version]`, or only a system or an architecture, the rest being the host's. containerd's
 * `windows(10.0.17763+feature)/amd64` is read too. Throws INVALID_PLATFORM.
 */
export function parsePlatform(text: string): Platform {
  const form = /^([^/(:]*)(?:\(([^)/]*)\))?((?:\/[^/:]*)*)(?::(.+))?$/.exec(text.trim());
  const [first = '', ...rest] = form === null ? [] : [form[1] ?? '', ...(form[3] ?? '').split('/').slice(1)];
  if (![first, ...rest].every((part) => PART.test(part)) || rest.length > 2) throw invalid(text);
  const options = parseOptions(form?.[2] ?? '', text);
  const version = form?.[4] ?? options.version;
  const platform = assemble(
    first.toLowerCase(),
    rest.map((part) => part.toLowerCase()),
    text,
  );
  if (version !== undefined && version !== '') platform['os.version'] = version;
  if (options.features.length > 0) platform['os.features'] = options.features;
  return platform;
}

function assemble(first: string, rest: string[], text: string): Platform {
  const [second, third] = rest;
  if (second === undefined) {
    if (SYSTEMS.has(first) || first === 'macos') return normalizePlatform({ ...hostPlatform(), os: first });
    if (isArchitecture(first)) return normalizePlatform({ os: hostPlatform().os, architecture: first });
    throw invalid(text);
  }
  // `arm/v7`: an architecture and its variant.
  if (third === undefined && !SYSTEMS.has(first) && isArchitecture(first)) {
    return normalizePlatform({ os: hostPlatform().os, architecture: first, variant: second });
  }
  const platform: Platform = { os: first, architecture: second };
  if (third !== undefined) platform.variant = third;
  const normal = normalizePlatform(platform);
  // containerd keeps v8 where it was written out: indexes write it out too.
  return third !== undefined && normal.architecture === 'arm64' ? { variant: 'v8', ...normal } : normal;
}

/** `10.0.17763+win32k`, each part percent-encoded (containerd's form). */
function parseOptions(options: string, text: string): { version: string | undefined; features: string[] } {
  try {
    const [version = '', ...features] = options.split('+').map(decodeURIComponent);
    return { version: version === '' ? undefined : version, features };
  } catch {
    throw invalid(text);
  }
}

/** One spelling for each platform: Go's architecture names, `v7` not `7`, and no variant where it is the default. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase();
  const given = platform.architecture.toLowerCase();
  const [architecture, implied] = ARCHITECTURES.get(given) ?? [given];
  const { variant: _, ...others } = platform;
  const normal: Platform = { ...others, os, architecture };
  const variant = normalVariant(architecture, platform.variant?.toLowerCase() || implied);
  if (variant !== undefined) normal.variant = variant;
  return normal;
}

function normalVariant(architecture: string, variant: string | undefined): string | undefined {
  if (variant === undefined) return undefined;
  const full = /^\d/.test(variant) ? `v${variant}` : variant;
  if (architecture === 'arm64' && (full === 'v8' || full === 'v8.0')) return undefined;
  if (architecture === 'amd64' && full === 'v1') return undefined;
  return architecture === 'arm64' && full === 'v9.0' ? 'v9' : full;
}

/** `linux/arm/v7`, with `:os.version` at the end when there is one. */
export function formatPlatform(platform: Partial<Platform>): string {
  const parts = [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
  return platform['os.version'] ? `${parts}:${platform['os.version']}` : parts;
}

/** Node's names of architectures as Go writes them, where they differ. */
const NODE_ARCHITECTURES: Record<string, string> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** The platform whose images this machine runs; Linux on a Mac, where containers run in a virtual machine. */
export function hostPlatform(): Platform {
  const platform: Platform = {
    os: process.platform === 'win32' ? 'windows' : process.platform === 'darwin' ? 'linux' : process.platform,
    architecture: NODE_ARCHITECTURES[process.arch] ?? process.arch,
  };
  const variables = process.config.variables as { arm_version?: string };
  if (platform.architecture === 'arm') platform.variant = `v${variables.arm_version ?? '7'}`;
  return platform;
}

const KNOWN_ARCHITECTURES = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);

function isArchitecture(text: string): boolean {
  return KNOWN_ARCHITECTURES.has(text) || ARCHITECTURES.has(text);
}

function invalid(text: string): OciError {
  return new OciError('INVALID_PLATFORM', `not a platform: ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'write os/arch[/variant], such as linux/amd64 or linux/arm/v7',
  });
}
